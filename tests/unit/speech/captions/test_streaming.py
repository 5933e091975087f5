"""A book's subtitles are written in seconds, and in memory for one cue."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from time import process_time

import pytest

from libs.speech.captions.ass import iter_ass
from libs.speech.captions.cues import Cue, Part
from libs.speech.captions.srt import iter_srt
from libs.speech.captions.webvtt import iter_webvtt
from tests.unit.speech.captions.texts import cues_of

CHARACTERS = 1_000_000
LINE = tuple("in the minds of the <surrounding> families".replace(" ", " |").split("|"))


def _book() -> Iterator[Cue]:
    """Cues with a million characters in all, each made when it is asked for."""
    for number in range(CHARACTERS // (2 * len("".join(LINE)))):
        start = number * 5.0
        yield Cue(start, start + 5, tuple(tuple(Part(word, start + place) for word in LINE) for place in (0, 2)))


@pytest.mark.parametrize("write", [iter_srt, iter_webvtt, iter_ass], ids=["srt", "webvtt", "ass"])
def test_a_book_is_written_in_flat_memory(write: Callable[[Iterable[Cue]], Iterator[str]]) -> None:
    tracemalloc.start()
    began = process_time()
    written = sum(len(chunk) for chunk in write(_book()))
    seconds = process_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written > CHARACTERS
    assert peak < 500_000
    assert seconds < 10


@pytest.mark.parametrize("text", ["word ", "a. ", "日", "何でも。", "x", "* "], ids=ascii)
def test_the_time_for_cues_grows_with_the_length_only(text: str) -> None:
    began = process_time()
    cues_of(text * (100_000 // len(text)))
    assert process_time() - began < 5
