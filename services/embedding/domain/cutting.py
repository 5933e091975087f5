"""How a text is cut into pieces that are found one by one."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

CHUNK_CHARACTERS: Final = 1_000
CHUNK_OVERLAP: Final = 200

_ZERO_WIDTH_SPACE: Final = "\u200b"  # what Thai, Khmer and Burmese typesetting puts between words
_ZERO_WIDTH_JOINER: Final = "\u200d"
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
# No real grapheme is longer; marks stacked higher than this are cut through.
_GRAPHEME_CHARACTERS: Final = 32


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
