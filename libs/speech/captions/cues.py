"""Subtitles: which words are shown together, on which lines, and from when to when. Pure.

The limits are those that broadcasters and streaming services ask for: two lines of 42 columns, 0.7 to 7 seconds, 20
characters a second. A cue starts exactly when its first word does, so that nothing drifts however long the text is.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from libs.speech.captions.layout import Piece, lines, pieces
from libs.speech.captions.levels import Span, Timed


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cue keeps to: columns a line, seconds on the screen, columns a second.

    `closed_gap` is the shortest time in seconds for which the screen may be empty between two cues.
    """

    columns: int = 42
    longest: float = 7.0
    shortest: float = 0.7
    columns_a_second: float = 20.0
    closed_gap: float = 0.12


@dataclass(frozen=True, slots=True)
class Part:
    """A word as a cue shows it, with its punctuation and the space after it; heard from `start` seconds."""

    text: str
    start: float


@dataclass(frozen=True, slots=True)
class Cue:
    """What is on the screen from `start` to `end` seconds: one or two lines of words in logical order."""

    start: float
    end: float
    lines: tuple[tuple[Part, ...], ...]

    @property
    def text(self) -> str:
        """The lines as they are read."""
        return "\n".join("".join(part.text for part in line) for line in self.lines)


def cues(
    text: str,
    words: Iterable[Timed],
    sentences: Sequence[Span],
    *,
    duration_seconds: float,
    limits: Limits | None = None,
) -> Iterator[Cue]:
    """Yield the cues of `text`, in order, never overlapping, each with words of one sentence only.

    `words` are those of `word_times`; `sentences` are spans of the text in order. A cue ends with its last word, or
    later where it would be too short to read and there is room before the next one or the end of the audio. Words that
    take no time, with no room to show them, have no cue. Only the words of one sentence are held in memory.
    """
    limits = limits or Limits()
    held: Sequence[Piece] | None = None
    for sentence in _sentences(text, words, sentences):
        for run in _runs(sentence, limits):
            if held is not None:
                yield from _cue(held, run[0].start, limits)
            held = run
    if held is not None:
        yield from _cue(held, duration_seconds, limits)


def _sentences(text: str, words: Iterable[Timed], sentences: Sequence[Span]) -> Iterator[list[Piece]]:
    """Yield the words of each sentence as they are shown; a word belongs to the sentence in which it begins."""
    edges = [0, *(begin for begin, _ in sentences), len(text)]
    for number, group in groupby(words, lambda word: bisect_right(edges, word.start_index, 1, len(edges) - 1)):
        spoken = list(group)
        yield pieces(text, spoken, edges[number - 1], max(edges[number], spoken[-1].end_index))


def _runs(sentence: Sequence[Piece], limits: Limits) -> Iterator[Sequence[Piece]]:
    """Yield the words of each cue: as few cues as fit, of like widths, broken after clauses where these are near."""
    edges = [0]
    for piece in sentence:
        edges.append(edges[-1] + piece.columns + piece.spaced)
    capacity = 2 * limits.columns
    first = 0
    while first < len(sentence):
        furthest = _furthest(sentence, first, limits)
        if furthest == len(sentence):
            yield sentence[first:]
            return
        rest = edges[-1] - edges[first]
        seconds = sentence[-1].end - sentence[first].start
        target = rest / max(2, math.ceil(rest / capacity), math.ceil(seconds / limits.longest))

        def cost(stop: int, begin: int = first, target: float = target) -> float:
            brief = sentence[stop].start - sentence[begin].start < limits.shortest
            return abs(edges[stop] - edges[begin] - target) / capacity + sentence[stop - 1].cost + brief

        best = min(range(first + 1, furthest + 1), key=cost)
        yield sentence[first:best]
        first = best


def _furthest(sentence: Sequence[Piece], first: int, limits: Limits) -> int:
    """Return before which piece a cue that begins with `first` has to end; it holds one piece at least."""
    speech_limit = sentence[first].start + limits.longest - limits.closed_gap
    broken, used = False, 0
    for index in range(first, len(sentence)):
        piece = sentence[index]
        if index > first and piece.end > speech_limit:
            return index
        wider = used + sentence[index - 1].spaced + piece.columns if index > first else piece.columns
        if index > first and wider > limits.columns:
            if broken:
                return index
            broken, wider = True, piece.columns
        used = wider
    return len(sentence)


def _cue(run: Sequence[Piece], room_until: float, limits: Limits) -> Iterator[Cue]:
    """Yield the cue of `run`, which has to be gone at `room_until` seconds; none if there is no time for it."""
    start = run[0].start
    readable = sum(piece.columns + piece.spaced for piece in run) / limits.columns_a_second
    wished = max(run[-1].end, start + limits.shortest, start + readable)
    end = min(wished, room_until, start + limits.longest)
    if end < room_until < end + limits.closed_gap:
        end = room_until if room_until - start <= limits.longest else room_until - limits.closed_gap
    if end > start:
        yield Cue(start, end, tuple(_parts(line) for line in lines(run, limits.columns)))


def _parts(line: Sequence[Piece]) -> tuple[Part, ...]:
    last = len(line) - 1
    return tuple(
        Part(piece.text + " " if piece.spaced and index < last else piece.text, piece.start)
        for index, piece in enumerate(line)
    )
