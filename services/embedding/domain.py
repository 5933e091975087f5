"""How text is cut, named and ranked for search."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

CHUNK_CHARACTERS: Final = 1_000
CHUNK_OVERLAP: Final = 200
# Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet".
FUSION_K: Final = 60
# What the database's column holds.
DIMENSIONS: Final = 384
# A fusion of short rankings misses what is second-best in both of them.
LEAST_DEPTH: Final = 50
TITLE_CHARACTERS: Final = 80

_ZERO_WIDTH_SPACE: Final = "\u200b"  # what Thai, Khmer and Burmese typesetting puts between words
_ZERO_WIDTH_JOINER: Final = "\u200d"
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
# No real grapheme is longer; marks stacked higher than this are cut through.
_GRAPHEME_CHARACTERS: Final = 32

T = TypeVar("T", bound=Hashable)


class SourceType(StrEnum):
    """What a document was made from. Voices and generations index themselves; the others come from clients."""

    VOICE = "voice"
    GENERATION = "generation"
    CHAT = "chat"
    KNOWLEDGE = "knowledge"
    KNOWLEDGE_LINK = "knowledge_link"
    KNOWLEDGE_FILE = "knowledge_file"
    PORTFOLIO = "portfolio"
    TRAINING_CHAT = "training_chat"
    MANUAL_ENTRY = "manual_entry"
    PORTFOLIO_INSIGHT = "portfolio_insight"


class SearchMode(StrEnum):
    """By meaning, by words, or by both."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    TEXT = "text"


class EmbeddingError(Exception):
    """No vectors could be made. The message says what to do."""


class EmbeddingModelInvalid(EmbeddingError):
    """The local model is missing or not the one that this release was built for."""


class EmbeddingRefused(EmbeddingError):
    """The provider will answer the same way again: wrong key, unknown model, text too long, wrong dimensions."""


class EmbeddingUnavailable(EmbeddingError):
    """The provider did not answer in time, however often it was asked; later it may."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which the provider asked to be called again, if it said so."""


class ModelChanged(EmbeddingError):
    """The index holds another model's vectors, with which the configured model's cannot be compared."""

    def __init__(self, indexed: str, configured: str) -> None:
        super().__init__(
            f"The search index was made with {indexed}, but {configured} is configured. Configure {indexed} again, "
            "or empty the embedding service's database and replay the events into it."
        )


SourceKey = tuple[UUID | None, str, str]
"""Whose a source is, of what type, and its id: what tells it from all others."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something to be found. Of one source the greatest `revision` counts; `org_id` is None for everybody's."""

    org_id: UUID | None
    type: SourceType
    id: str
    revision: int
    title: str
    text: str
    metadata: Mapping[str, str]

    @property
    def key(self) -> SourceKey:
        """What all its revisions have in common."""
        return self.org_id, self.type, self.id


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found, with the text of its best chunk.

    `score` orders the hits of one search and compares with nothing else; `similarity` is the cosine between
    query and chunk, None where the search did not look at meaning.
    """

    document_id: UUID
    source_type: str
    source_id: str
    title: str
    text: str
    score: float
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Piece:
    """`content == text[start:end]`, with no white space at its ends."""

    idx: int
    content: str
    start: int
    end: int


def cut(text: str, *, size: int = CHUNK_CHARACTERS, overlap: int = CHUNK_OVERLAP) -> tuple[Piece, ...]:
    """Pieces of at most `size` characters that together hold every character of `text` but white space.

    A piece ends and begins between words where the last `overlap` characters have a gap; otherwise after
    punctuation, which is how scripts without spaces part their clauses; otherwise (one enormous word) anywhere
    but inside a grapheme. Neighbours share at most `overlap` characters. Text without a word gives no piece.

    Raises ValueError unless 0 <= 2 * overlap < size.
    """
    if not 0 <= 2 * overlap < size:
        raise ValueError(f"overlap must be from 0 to less than half of size {size}, not {overlap}")
    pieces: list[Piece] = []
    length = _trim(text, 0, len(text))
    covered = 0
    start = _skip_space(text, 0, length)
    while start < length:
        limit = min(start + size, length)
        # One character is looked back upon at least, so that a gap exactly at the limit is seen without overlap.
        stop = limit if limit == length else _last_break(text, max(limit - max(overlap, 1), start + 1), limit)
        end = _trim(text, start, stop)
        following = _skip_space(text, stop, length)
        if end > covered:
            pieces.append(Piece(len(pieces), text[start:end], start, end))
            covered = end
            if end - overlap > start and stop < length:
                following = _first_break(text, end - overlap, end, following)
        start = following
    return tuple(pieces)


def content_hash(text: str) -> str:
    """SHA-256 of the UTF-8 text, 64 hexadecimal characters: equal texts are embedded and kept once."""
    return hashlib.sha256(text.encode()).hexdigest()


def voice_text(*, name: str, description: str | None, category: str, language: str) -> str:
    """What a voice is found by. `category` is the label people read; `language` a BCP 47 tag such as "en-GB"."""
    spoken = language_name(language)
    lines = [f"{name}: {description}" if description else name, f"{category} voice", f"{spoken} ({language})"]
    return "\n".join(line.strip() for line in lines)


def language_name(tag: str) -> str:
    """English for a BCP 47 tag: "British English" for en-GB; the tag itself where we have no name for it.

    The embedding model knows languages by their names, hardly by their tags.
    """
    language, _, region = tag.replace("_", "-").partition("-")
    name = _LANGUAGES.get(language.lower())
    if name is None:
        return tag
    adjective = _REGIONS.get(region.upper())
    return f"{adjective} {name}" if adjective else name


def title_of(text: str) -> str:
    """The beginning of a text that has no title, in one line of at most TITLE_CHARACTERS."""
    line = " ".join(text[: 4 * TITLE_CHARACTERS].split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    beginning = cut(line, size=TITLE_CHARACTERS - 1, overlap=0)[:1]
    return "".join(f"{piece.content}…" for piece in beginning)


def fuse_hits(rankings: Sequence[Sequence[Hit]], limit: int) -> list[Hit]:
    """The best `limit` documents of all rankings by reciprocal rank, each as the first ranking that has it shows it."""
    shown: dict[UUID, Hit] = {}
    for ranking in rankings:
        for hit in ranking:
            shown.setdefault(hit.document_id, hit)
    fused = fuse([[hit.document_id for hit in ranking] for ranking in rankings])
    return [replace(shown[document_id], score=score) for document_id, score in fused[:limit]]


def fuse(rankings: Sequence[Sequence[T]], k: int = FUSION_K) -> list[tuple[T, float]]:
    """Reciprocal rank fusion: every item with the sum of 1 / (k + rank) over the rankings, best first.

    Ranks count from 1; an item repeated within one ranking counts once, at its best rank. Equal sums keep the
    order in which the items were first met, so the same rankings always give the same answer.
    """
    scores: dict[T, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(dict.fromkeys(ranking), start=1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda entry: -entry[1])


def _last_break(text: str, lowest: int, highest: int) -> int:
    """The best place in [lowest, highest] to end a piece, as far back as it has to be and no farther."""
    for place in range(highest, lowest - 1, -1):
        if _is_gap(text, place):
            return place
    for place in range(highest, lowest - 1, -1):
        if _is_punctuation(text[place - 1]) and not _continues(text, place):
            return place
    for place in range(highest, max(lowest, highest - _GRAPHEME_CHARACTERS), -1):
        if not _continues(text, place):
            return place
    return highest


def _first_break(text: str, lowest: int, highest: int, otherwise: int) -> int:
    """The first place in [lowest, highest) where a word begins, so that neighbours share whole words."""
    for place in range(lowest, highest):
        if _is_gap(text, place) and not _is_space(text[place]):
            return place
    for place in range(lowest, highest):
        if _is_punctuation(text[place - 1]) and not _continues(text, place):
            return place
    for place in range(lowest, min(lowest + _GRAPHEME_CHARACTERS, highest)):
        if not _continues(text, place):
            return place
    return otherwise


def _is_gap(text: str, place: int) -> bool:
    return _is_space(text[place - 1]) or _is_space(text[place])


def _is_space(character: str) -> bool:
    return character.isspace() or character == _ZERO_WIDTH_SPACE


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


def _continues(text: str, place: int) -> bool:
    """Whether the character at `place` belongs to the one before it: a mark, a joined emoji, a skin tone."""
    character = text[place]
    return (
        unicodedata.category(character).startswith("M")
        or _ZERO_WIDTH_JOINER in (character, text[place - 1])
        or ord(character) in _SKIN_TONES
    )


def _skip_space(text: str, start: int, end: int) -> int:
    while start < end and _is_space(text[start]):
        start += 1
    return start


def _trim(text: str, start: int, end: int) -> int:
    while end > start and _is_space(text[end - 1]):
        end -= 1
    return end


_LANGUAGES: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nb": "Norwegian", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "ta": "Tamil", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_REGIONS: Final = {
    "AU": "Australian", "BR": "Brazilian", "CA": "Canadian", "GB": "British", "IE": "Irish", "IN": "Indian",
    "MX": "Mexican", "NZ": "New Zealand", "US": "American", "ZA": "South African",
}  # fmt: skip
