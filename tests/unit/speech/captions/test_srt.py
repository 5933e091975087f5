"""SubRip as a strict reader of it sees it: numbers, times and texts, and nothing of the text taken for a command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

import pytest
from hypothesis import given

from libs.speech.captions.cues import Cue, Part
from libs.speech.captions.srt import iter_srt
from tests.unit.speech.captions.texts import HOSTILE, cues_of, one_cue, read_clock, steps, texts, without_joiners

_BLOCK = re.compile(r"(\d+)\n(\d{2,}:\d\d:\d\d,\d{3}) --> (\d{2,}:\d\d:\d\d,\d{3})\n((?:[^\n]+\n){1,2})\n")


def read_srt(document: str) -> list[tuple[int, int, str]]:
    """Start and end in milliseconds and text of each cue. Fails on everything that is not exactly the format."""
    found: list[tuple[int, int, str]] = []
    position = 0
    while position < len(document):
        block = _BLOCK.match(document, position)
        assert block is not None, document[position : position + 80]
        assert int(block[1]) == len(found) + 1
        text = block[4].removesuffix("\n")
        assert "-->" not in text
        assert not re.search(r"<[/a-zA-Z!?]|[{}]|\\(?!\u2060)", text)
        found.append((read_clock(block[2]), read_clock(block[3]), text))
        position = block.end()
    return found


@given(text=texts, steps=steps)
def test_every_cue_is_read_back(text: str, steps: Sequence[float]) -> None:
    cues = [cue for cue in cues_of(text, steps) if round(cue.start * 1000) < round(cue.end * 1000)]
    read = read_srt("".join(iter_srt(cues)))
    assert [(start, end) for start, end, _ in read] == [(round(c.start * 1000), round(c.end * 1000)) for c in cues]
    assert [_undone(text) for _, _, text in read] == [without_joiners(cue.text) for cue in cues]
    assert all(start < end for start, end, _ in read)
    assert all(before[1] <= after[0] for before, after in pairwise(read))


def test_the_file() -> None:
    cues = [one_cue("Hello, world!", start=0.5, end=2.25), one_cue("שלום 👋🏽", start=3600.0, end=36_001.5)]
    assert "".join(iter_srt(cues)) == (
        "1\n00:00:00,500 --> 00:00:02,250\nHello, world!\n\n2\n01:00:00,000 --> 10:00:01,500\nשלום 👋🏽\n\n"
    )
    assert "".join(iter_srt([])) == ""


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_a_text_is_never_a_command(hostile: str) -> None:
    (read,) = read_srt("".join(iter_srt([one_cue(f"a {hostile}\n\n2\n00:00:01,000 --> 00:00:02,000\n{hostile}")])))
    assert read[:2] == (0, 1000)


def test_cues_that_show_nothing_are_left_out_and_not_counted() -> None:
    nothing = [one_cue(" \n"), one_cue("a", end=0.0004), Cue(0, 1, ())]
    assert read_srt("".join(iter_srt([*nothing, one_cue("b", start=100 * 3600.0, end=360_001.0)]))) == [
        (360_000_000, 360_001_000, "b")
    ]


def test_the_file_is_written_while_the_cues_come() -> None:
    def endless() -> Iterator[Cue]:
        while True:
            yield Cue(0, 1, ((Part("a", 0),),))

    assert len(list(islice(iter_srt(endless()), 1000))) == 1000


def _undone(text: str) -> str:
    return without_joiners(text).replace("｛", "{").replace("｝", "}")
