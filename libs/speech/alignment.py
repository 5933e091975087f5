"""From an engine's events to the time of every character. Pure: no engine, no I/O.

The engine says where in the text each word that it speaks begins, and at which sample. Between these fixed points time
is shared out evenly: the characters of a word over the time in which it sounds, everything between two words (spaces,
punctuation, symbols without a sound) over the pause between them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import category

JOINER = "\u200d"


class Word(NamedTuple):
    """The engine began a word: code points `position` (from 0) to `position + length` of the text, at `sample`."""

    position: int
    length: int
    sample: int


class Phoneme(NamedTuple):
    """The engine began a sound, or a pause if `silent`, at `sample`."""

    sample: int
    silent: bool


class _Span(NamedTuple):
    """The characters from `begin` to before `end` sound from sample `start` to sample `stop`."""

    begin: int
    end: int
    start: int
    stop: int


def align(
    text: str,
    words: Sequence[Word],
    phonemes: Sequence[Phoneme],
    *,
    total_samples: int,
    duration_seconds: float,
) -> tuple[list[float], list[float]]:
    """Start and end times in seconds of every code point of `text`.

    `words` and `phonemes` come in the order in which they were spoken, over `total_samples` of speech that last
    `duration_seconds` (they differ from the sample rate if the speech was stretched). Starts and ends never decrease,
    no end lies before its start, all lie between 0 and `duration_seconds`, whatever the events say.
    """
    spans = _sounding_spans(text, words, phonemes, total_samples)
    starts: list[float] = []
    ends: list[float] = []
    quiet_since = 0
    for span in spans:
        _share_out(starts, ends, span.begin - len(starts), quiet_since, span.start)
        _share_out(starts, ends, span.end - span.begin, span.start, span.stop)
        quiet_since = span.stop
    _share_out(starts, ends, len(text) - len(starts), quiet_since, max(quiet_since, total_samples))
    scale = duration_seconds / total_samples if total_samples else 0.0
    return (
        [min(start * scale, duration_seconds) for start in starts],
        [min(end * scale, duration_seconds) for end in ends],
    )


def _share_out(starts: list[float], ends: list[float], count: int, begin: float, stop: float) -> None:
    """Append `count` characters that share the time from `begin` to `stop` evenly."""
    if count <= 0:
        return
    step = (stop - begin) / count
    edges = [begin + step * index for index in range(count)]
    starts += edges
    ends += edges[1:]
    ends.append(stop)


def _sounding_spans(text: str, words: Sequence[Word], phonemes: Sequence[Phoneme], total_samples: int) -> list[_Span]:
    """The stretches of text that sound, in order, not overlapping, with samples that never decrease."""
    merged = _advancing(words, len(text), total_samples)
    spans: list[_Span] = []
    for index, word in enumerate(merged):
        last = index + 1 == len(merged)
        limit = len(text) if last else merged[index + 1].position
        until = total_samples if last else merged[index + 1].sample
        end = min(word.position + max(word.length, 1), limit)
        while end < limit and _belongs_to_word(text[end]):
            end += 1
        spans.append(_Span(word.position, end, word.sample, _end_of_sound(phonemes, word.sample, until)))
    return spans


def _advancing(words: Sequence[Word], length: int, total_samples: int) -> list[Word]:
    """The words that start further on in the text than all before them.

    A number is spoken as several words at one position, and an engine may step back over text that it read ahead: such
    words sound as part of the one that holds their position.
    """
    kept: list[Word] = []
    position, sample = -1, 0
    for word in words:
        if position < word.position < length:
            position, sample = word.position, min(max(word.sample, sample), total_samples)
            kept.append(Word(position, word.length, sample))
    return kept


def _belongs_to_word(character: str) -> bool:
    """Letters, digits and marks next to a word that got no event of their own are spoken with it."""
    return character.isalnum() or character == JOINER or category(character)[0] == "M"


def _end_of_sound(phonemes: Sequence[Phoneme], start: int, until: int) -> int:
    """The sample at which a word that began at `start` falls silent, at most `until`."""
    end = until
    for index in range(bisect_left(phonemes, (until, False)) - 1, -1, -1):
        phoneme = phonemes[index]
        if not phoneme.silent or phoneme.sample <= start:
            break
        end = phoneme.sample
    return max(start, end)
