"""How a text becomes speech: what decides its sound, what is spoken on its own, and under which keys it is kept."""

from __future__ import annotations

import hashlib
import html
import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from uuid import UUID

from libs.speech.encoding import parse_output_format
from libs.speech.text.chunks import split_chunks, split_revised
from libs.speech.text.dictionary import Lexicon
from libs.speech.text.ipa import to_mnemonics
from libs.speech.text.reading import NOTHING, Reading
from libs.speech.text.ssml import Markup, SsmlError, parse_ssml
from services.generation.domain.errors import Flaw, InvalidMarkup
from services.generation.domain.requests import InputType, Request, Voice

WHOLE_MAX_LENGTH = 500
"""Characters up to which a text is spoken in one piece: less work in all, and still heard at once."""
_REFERENCE = re.compile(r"&(?:#\d+|#x[0-9A-Fa-f]+|\w+);")
_PHONEMES = re.compile(r"\[\[[^\]]*\]\]")
EVENT_TEXT_MAX_LENGTH = 5_000
"""Characters up to which text and alignment travel in events; longer ones lie in objects."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What decides how a text sounds, and as what it is written down. JSON: it lies beside the text."""

    engine: str
    # Any: JSON that only the engine understands.
    voice: dict[str, Any]
    language: str
    output: str
    engine_version: str = ""
    speed: float = 1.0
    pitch: float = 0.0
    volume: float = 1.0
    seed: int | None = None
    input_type: InputType = "text"
    dictionaries: list[list[Any]] = field(default_factory=list)  # Any: id and version
    sampling: dict[str, float] = field(default_factory=dict)
    """Those of the sampling parameters that the engine honours."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Return what `to_json` wrote."""
        return cls(**fields)

    @property
    def segment(self) -> str:
        """The form in which pieces are kept, which several output formats may share."""
        return parse_output_format(self.output).segment

    def cache_key(self, reading: str) -> str:
        """Return what equal pieces have in common: everything that decides their sound, as a SHA-256 in hexadecimal."""
        sound = self.to_json() | {"output": self.segment, "reading": reading}
        # What a piece is read as holds already what language and dictionaries made of it.
        for name in ("language", "dictionaries"):
            del sound[name]
        return _digest(sound)

    def fingerprint(self, text: str) -> str:
        """Return what equal requests have in common."""
        return _digest(self.to_json() | {"text": text})


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def spec_of(request: Request, voice: Voice, language: str, *, engine_version: str, honours: frozenset[str]) -> Spec:
    """Return how `request` is spoken; what it leaves open is as the voice has it."""
    sampling = {name: getattr(request, name) for name in ("temperature", "top_p", "top_k", "repetition_penalty")}
    return Spec(
        engine=voice.engine,
        engine_version=engine_version,
        voice=voice.engine_settings,
        language=language,
        output=request.format,
        speed=_first(request.speed, voice.settings.get("speed"), 1.0),
        pitch=_first(request.pitch, voice.settings.get("pitch"), 0.0),
        volume=_first(request.volume, voice.settings.get("volume"), 1.0),
        seed=request.seed,
        input_type=request.input_type,
        dictionaries=[[str(one.id), one.version] for one in request.dictionaries],
        sampling={name: value for name, value in sampling.items() if name in honours},
    )


def same_language(one: str, other: str) -> bool:
    """Say whether two BCP 47 tags name one language, perhaps of different regions."""
    return one.split("-", maxsplit=1)[0].lower() == other.split("-", maxsplit=1)[0].lower()


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that is spoken on its own: code points `first` to before `first + characters`.

    `reading` is what the engine reads, with origins counted from `first`; None where it reads the text as it is.
    """

    first: int
    characters: int
    reading: Reading


class Script:
    """A text as it is to be spoken: without its markup, with words respelled, in pieces."""

    def __init__(self, text: str, input_type: InputType, lexicon: Lexicon | None, language: str) -> None:
        """Raises InvalidMarkup."""
        self._text = text
        self._lexicon = lexicon
        self._language = language
        self._markup: Markup | None = None
        if input_type == "ssml":
            try:
                self._markup = parse_ssml(text)
            except SsmlError as error:
                raise InvalidMarkup(
                    [Flaw(one.position, one.line, one.column, one.message) for one in error.problems]
                ) from error
            if not self.whole().reading.text:
                raise InvalidMarkup([Flaw(0, 1, 1, "there is nothing to speak in it; write text, or at least a break")])

    @property
    def plain(self) -> str:
        """The text without markup."""
        return self._text if self._markup is None else self._markup.plain

    def whole(self) -> Piece:
        """Return the text as one piece."""
        return self._piece(0, len(self.plain), is_first=True, is_last=True)

    def pieces(self, previous: Sequence[str] = ()) -> list[Piece]:
        """Return the pieces of the text in their order; `previous` are those of a text that this one is an edit of."""
        plain = self.plain
        spans = split_revised(plain, self._language, previous) if previous else split_chunks(plain, self._language)
        if self._markup is not None:
            # A document of pauses alone has no sentence, and still is to be heard.
            spans = _undivided(spans, self._markup.wholes()) or [(0, 0)]
        last = len(spans) - 1
        return [
            self._piece(start, end, is_first=index == 0, is_last=index == last)
            for index, (start, end) in enumerate(spans)
        ]

    def _piece(self, start: int, end: int, *, is_first: bool, is_last: bool) -> Piece:
        if self._markup is None:
            return Piece(start, end - start, self._respelled(self._text[start:end]))
        reading = self._markup.render(start, end, self._respelled, self._phonemes)
        places = self._markup.origins
        first = 0 if is_first else places[start]
        behind = len(self._text) if is_last else places[end]
        origins = [origin if origin < 0 else places[origin] - first for origin in reading.origins]
        return Piece(first, behind - first, Reading(reading.text, origins))

    def _respelled(self, text: str) -> Reading:
        return Reading.plain(text) if self._lexicon is None else self._lexicon.read(text)

    def _phonemes(self, ipa: str) -> str:
        return to_mnemonics(ipa, self._language)


def _undivided(spans: Sequence[tuple[int, int]], wholes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans without borders inside of wholes: what is spoken in place of one is spoken in its first piece,
    and nothing would be left to speak in the others.
    """
    begins = [begin for begin, _ in wholes]
    kept: list[tuple[int, int]] = []
    start = 0
    for _, end in spans:
        index = bisect_left(begins, end) - 1
        border = max(end, wholes[index][1]) if index >= 0 else end
        if border > start:
            kept.append((start, border))
            start = border
    return kept


def object_key(org_id: UUID, rendition_id: UUID, made: UUID, extension: str) -> str:
    """Return the key of a rendition's object: of one try, so that removing what was made in vain harms no other."""
    return f"generations/orgs/{org_id}/{rendition_id}/{made.hex}.{extension}"


def chunk_key(org_id: UUID, cache_key: str, made: UUID) -> str:
    """Return the key of a piece of speech that texts of the organisation share; `made` tells one try from another."""
    return f"generations/orgs/{org_id}/chunks/{cache_key}-{made.hex}"


OBJECTS = "generations/orgs/"
"""What the keys of all objects of this service begin with."""
_PLACE = re.compile(OBJECTS + r"([0-9a-f-]{36})/(?:([0-9a-f-]{36})/[^/]+|chunks/([0-9a-f]{64})-[0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose an object is: an organisation's, and there a rendition's or a piece's."""

    org_id: UUID
    rendition_id: UUID | None
    cache_key: str | None


def place_of(key: str) -> Place | None:
    """Return whose an object is; None for a key that is none of this service's."""
    match = _PLACE.fullmatch(key)
    if match is None:
        return None
    try:
        return Place(UUID(match[1]), UUID(match[2]) if match[2] else None, match[3])
    except ValueError:
        return None


def heard(reading: Reading, sent: str, *, is_markup: bool) -> tuple[str, list[int]]:
    """Return what is heard of a reading of `sent`, and from which of its characters each begins to be.

    Markup is left out; what it writes as references are characters again, and where phonemes stand for a word, the word
    does.
    """
    text: list[str] = []
    places: list[int] = []
    index = 0
    while index < len(reading.text):
        end, spoken = _unit(reading, index, sent, is_markup=is_markup)
        if reading.origins[index] != NOTHING:
            text.append(spoken)
            # A unit that becomes several characters shares its time among them.
            places += [index + number * (end - index) // len(spoken) for number in range(len(spoken))]
        index = end
    return "".join(text), places


def _unit(reading: Reading, index: int, sent: str, *, is_markup: bool) -> tuple[int, str]:
    """Return where the unit of a reading that begins at `index` ends, and what is heard in its place."""
    if is_markup and (reference := _REFERENCE.match(reading.text, index)):
        return reference.end(), html.unescape(reference[0])
    if phonemes := _PHONEMES.match(reading.text, index):
        origins = [origin for origin in reading.origins[index : phonemes.end()] if origin != NOTHING]
        if origins:
            return phonemes.end(), sent[origins[0] : origins[-1] + 1]
    return index + 1, reading.text[index]
