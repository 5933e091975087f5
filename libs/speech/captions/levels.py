"""From the times of characters to those of words and sentences, and the document that clients get. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from libs.speech.captions.words import is_silent, words

Span = tuple[int, int]
"""Code points of a text, from the first to before the second."""


class Level(StrEnum):
    """What an alignment times."""

    CHARACTER = "character"
    WORD = "word"
    SENTENCE = "sentence"


class Timed(NamedTuple):
    """`text` is heard from `start` to `end`, in seconds; it is code points `start_index` to before `end_index`."""

    text: str
    start: float
    end: float
    start_index: int
    end_index: int


def word_times(text: str, starts: Sequence[float], ends: Sequence[float], words: Iterable[Span]) -> list[Timed]:
    """Return when each of the `words` is heard, without those that are only punctuation or spaces.

    `starts` and `ends` are the alignment of `text`: seconds, one for each code point, never decreasing. Starts and ends
    of the result never decrease, no word ends before it starts or after the next one starts, and all lie in the
    alignment. Raises ValueError if text and times are of different lengths.
    """
    _require_aligned(text, starts, ends)
    return list(_timed(text, starts, ends, (span for span in words if not is_silent(text[span[0] : span[1]]))))


def sentence_times(text: str, starts: Sequence[float], ends: Sequence[float], sentences: Iterable[Span]) -> list[Timed]:
    """Return when each of the `sentences` is heard, with what is true of `word_times`.

    Spaces around a sentence are not part of it, and sentences of nothing else are left out.
    """
    _require_aligned(text, starts, ends)
    return list(_timed(text, starts, ends, _stripped(text, sentences)))


def alignment_document(
    text: str, starts: Sequence[float], ends: Sequence[float], sentences: Iterable[Span], level: Level
) -> dict[str, object]:
    """Return the alignment as the JSON-ready document of `level`; for the arguments see `word_times`."""
    match level:
        case Level.CHARACTER:
            _require_aligned(text, starts, ends)
            return {"characters": list(text), "start_times": list(starts), "end_times": list(ends)}
        case Level.WORD:
            return {"words": [unit._asdict() for unit in word_times(text, starts, ends, words(text))]}
        case Level.SENTENCE:
            return {"sentences": [unit._asdict() for unit in sentence_times(text, starts, ends, sentences)]}


def _require_aligned(text: str, starts: Sequence[float], ends: Sequence[float]) -> None:
    if not len(text) == len(starts) == len(ends):
        raise ValueError(
            f"{len(text)} characters have {len(starts)} start and {len(ends)} end times; give one for each"
        )


def _stripped(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    for begin, stop in spans:
        content = text[begin:stop]
        kept = content.strip()
        if kept:
            first = begin + len(content) - len(content.lstrip())
            yield first, first + len(kept)


def _timed(text: str, starts: Sequence[float], ends: Sequence[float], spans: Iterable[Span]) -> Iterator[Timed]:
    """Time the spans: each begins with its first character and ends with its last, but before the next begins."""
    held: Timed | None = None
    for begin, stop in spans:
        start = starts[begin]
        if held is not None:
            yield held._replace(end=min(held.end, max(start, held.start)))
        held = Timed(text[begin:stop], start, max(start, ends[stop - 1]), begin, stop)
    if held is not None:
        yield held
