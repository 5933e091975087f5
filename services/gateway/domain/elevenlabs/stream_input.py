"""The messages of ElevenLabs' `stream-input` WebSocket."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.domain.elevenlabs.schedule import USUAL_SCHEDULE
from services.gateway.domain.elevenlabs.speech import LOCATORS_MAX
from services.gateway.domain.failures import InvalidField

INACTIVITY_SECONDS, INACTIVITY_MAX_SECONDS = 20.0, 180.0
_MS = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a client. An empty `text` ends the whole; `fields` are those of requests for speech."""

    text: str
    hurry: bool = False
    flush: bool = False
    key: str | None = None
    authorization: str | None = None
    schedule: Sequence[float] = USUAL_SCHEDULE
    fields: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON


def read_message(content: str | bytes) -> Message:
    """Return what a client's message says; raises InvalidField."""
    try:
        said = json.loads(content)
    except ValueError as error:
        raise InvalidField("message", 'is no JSON; send objects such as {"text": "Hello "}') from error
    if not isinstance(said, dict) or not isinstance(said.get("text"), str):
        raise InvalidField("text", 'is needed in every message; {"text": ""} ends the whole')
    return Message(
        text=said["text"],
        hurry=said.get("try_trigger_generation") is True,
        flush=said.get("flush") is True,
        key=_text(said, "xi_api_key") or _text(said, "xi-api-key"),
        authorization=_text(said, "authorization"),
        schedule=_schedule(said),
        fields=_fields(said),
    )


def _text(said: Mapping[str, Any], name: str) -> str | None:  # Any: JSON
    value = said.get(name)
    return value if isinstance(value, str) else None


def _schedule(said: Mapping[str, Any]) -> Sequence[float]:  # Any: JSON
    config = said.get("generation_config") or said.get("generator_config") or {}
    lengths = config.get("chunk_length_schedule") if isinstance(config, dict) else None
    if lengths is None:
        return USUAL_SCHEDULE
    if not isinstance(lengths, list) or not lengths or not all(isinstance(one, int | float) for one in lengths):
        raise InvalidField("generation_config.chunk_length_schedule", "is to be a list of numbers from 50 to 500")
    return lengths


def _fields(said: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    fields: dict[str, Any] = {}  # Any: JSON
    settings = said.get("voice_settings")
    if isinstance(settings, dict):
        speed = settings.get("speed")
        if speed is not None and (not isinstance(speed, int | float) or not 0.25 <= speed <= 4):
            raise InvalidField("voice_settings.speed", "is to be a number from 0.25 to 4")
        fields["voice_settings"] = settings
    locators = said.get("pronunciation_dictionary_locators")
    if locators:
        if not isinstance(locators, list) or len(locators) > LOCATORS_MAX or not all(map(_is_locator, locators)):
            name = "pronunciation_dictionary_locators"
            raise InvalidField(name, f"is to be a list of at most {LOCATORS_MAX}, each with its dictionary's id")
        fields["pronunciation_dictionary_locators"] = locators
    return fields


def _is_locator(locator: object) -> bool:
    if not isinstance(locator, dict):
        return False
    version = locator.get("version_id")
    return isinstance(locator.get("pronunciation_dictionary_id"), str) and (version is None or isinstance(version, str))


def answer(audio: str, alignment: Mapping[str, Any] | None) -> dict[str, Any]:  # Any: JSON
    """Return a message with audio in Base64; times are milliseconds from the beginning of the part of the text."""
    times = None if alignment is None else _in_milliseconds(alignment)
    return {"audio": audio, "isFinal": None, "normalizedAlignment": times, "alignment": times}


FINAL: Mapping[str, Any] = {"audio": None, "isFinal": True, "normalizedAlignment": None, "alignment": None}  # Any: JSON


def _in_milliseconds(alignment: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    starts = [round(one * _MS) for one in alignment["character_start_times_seconds"]]
    ends = [round(one * _MS) for one in alignment["character_end_times_seconds"]]
    durations = [end - start for start, end in zip(starts, ends, strict=True)]
    return {"chars": alignment["characters"], "charStartTimesMs": starts, "charDurationsMs": durations}
