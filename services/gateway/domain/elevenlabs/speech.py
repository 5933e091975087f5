"""Requests for speech as ElevenLabs' clients write them, and when their characters are heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.domain.elevenlabs.dictionaries import version_number
from services.gateway.domain.elevenlabs.markup import Script, script_of

DEFAULT_FORMAT = "mp3_44100_128"
INTERACTIVE_LENGTH = 5000
"""Longer texts become jobs, which are waited for all the same."""
TEXT_MAX_LENGTH = 1_000_000
LOCATORS_MAX = 3
SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty")
"""What none of their own clients names, but what passes through them and reaches engines that know it."""
VOICE_SETTINGS_HONOURED = ("speed",)

_WITHOUT_MEANING = (
    "previous_text",
    "next_text",
    "previous_request_ids",
    "next_request_ids",
    "use_pvc_as_ivc",
    "apply_language_text_normalization",
    "audio_effects",
    "optimize_streaming_latency",
)


def own_engine(model_id: str | None) -> str | None:
    """Return the engine that a model's id names; None for one of their models: the voice's own engine."""
    return None if model_id is None or model_id.startswith("eleven_") else model_id


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is asked of the generation service, how the text became it, and what of the request has no meaning here."""

    document: Mapping[str, Any]  # Any: JSON
    script: Script
    ignored: Sequence[str] = field(default_factory=list)


def spoken_of(fields: Mapping[str, Any], voice_id: str, output_format: str) -> Spoken:  # Any: JSON
    """Return what a request asks for; `fields` are those of its body and query, without those that are null.

    `voice_id` is one of ours. Raises InvalidField for a pronunciation dictionary's version that is none.
    """
    script = script_of(fields["text"])
    settings: Mapping[str, Any] = fields.get("voice_settings") or {}  # Any: numbers and switches
    document: dict[str, Any] = {  # Any: JSON
        "text": script.text,
        "input_type": script.input_type,
        "voice_id": voice_id,
        "format": output_format,
        "mode": "interactive" if len(script.text) <= INTERACTIVE_LENGTH else "job",
    }
    document |= {name: fields[name] for name in (*SAMPLING, "seed") if name in fields}
    if settings.get("speed") is not None:
        document["speed"] = settings["speed"]
    if "language_code" in fields:
        document["language"] = fields["language_code"]
    engine = own_engine(fields.get("model_id"))
    if engine is not None:
        document["model_id"] = engine
    locators = fields.get("pronunciation_dictionary_locators") or ()
    if locators:
        document["dictionaries"] = [_dictionary(locator) for locator in locators]
    if fields.get("enable_logging") is False:
        document["cache"] = False
    return Spoken(document, script, sorted(_ignored(fields, settings)))


def _dictionary(locator: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    named: dict[str, Any] = {"id": locator["pronunciation_dictionary_id"]}  # Any: JSON
    if locator.get("version_id") is not None:
        named["version"] = version_number(locator["version_id"])
    return named


def _ignored(fields: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON
    yield from (name for name in _WITHOUT_MEANING if name in fields)
    yield from (
        f"voice_settings.{name}"
        for name, value in settings.items()
        if value is not None and name not in VOICE_SETTINGS_HONOURED and _is_name(name)
    )
    if fields.get("apply_text_normalization") == "off":
        yield "apply_text_normalization"
    if "model_id" in fields and own_engine(fields["model_id"]) is None:
        yield "model_id"
    yield from (name for name in fields.get("unknown", ()) if _is_name(name))


def _is_name(text: str) -> bool:
    """Say whether a name can stand in a header."""
    return text.isascii() and text.isidentifier() and len(text) <= 100


Times = tuple[Sequence[float], Sequence[float]]


def alignment_of(text: str, script: Script, starts: Sequence[float], ends: Sequence[float]) -> dict[str, Any]:
    """Return when each character of `text` is heard; `starts` and `ends` are those of the script. Any: JSON."""
    return {
        "characters": list(text),
        "character_start_times_seconds": [starts[begin] for begin, _ in script.spans],
        "character_end_times_seconds": [ends[stop - 1] for _, stop in script.spans],
    }


def plain_alignment(characters: Sequence[str], starts: Sequence[float], ends: Sequence[float]) -> dict[str, Any]:
    """Return an alignment in their words. Any: JSON."""
    return {
        "characters": characters,
        "character_start_times_seconds": starts,
        "character_end_times_seconds": ends,
    }


class Follower:
    """Turns the alignments of a script, which come piece by piece, into those of its text."""

    def __init__(self, text: str, script: Script) -> None:
        self._text = text
        self._spans = script.spans
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._told = 0

    def take(self, starts: Sequence[float], ends: Sequence[float]) -> dict[str, Any] | None:  # Any: JSON
        """Take the times of the script's next characters; return those of the text that are complete with them."""
        self._starts += starts
        self._ends += ends
        begin = stop = self._told
        while stop < len(self._spans) and self._spans[stop][1] <= len(self._ends):
            stop += 1
        if begin == stop:
            return None
        self._told = stop
        spans = self._spans[begin:stop]
        return plain_alignment(
            list(self._text[begin:stop]), [self._starts[a] for a, _ in spans], [self._ends[b - 1] for _, b in spans]
        )
