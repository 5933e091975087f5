"""WebVTT by the grammar of its specification (sections 4.1 and 4.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from itertools import pairwise

import pytest
from hypothesis import given

from libs.speech.captions.cues import Cue, Part
from libs.speech.captions.webvtt import iter_webvtt
from tests.unit.speech.captions.texts import HOSTILE, cues_of, one_cue, plain, read_clock, steps, texts

_TIME = r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}"
_BLOCK = re.compile(rf"({_TIME}) --> ({_TIME})\n((?:[^\n\r\0]+\n)+)\n")
_TOKEN = re.compile(rf"<({_TIME})>|([^<&>]+)|(&(?:amp|lt|gt);)")


def read_webvtt(document: str) -> list[tuple[int, int, str, list[int]]]:
    """Start, end, text and times inside of each cue. Fails on what does not conform."""
    assert document.startswith("WEBVTT\n\n")
    position = len("WEBVTT\n\n")
    found: list[tuple[int, int, str, list[int]]] = []
    while position < len(document):
        block = _BLOCK.match(document, position)
        assert block is not None, document[position : position + 80]
        start, end, payload = read_clock(block[1]), read_clock(block[2]), block[3].removesuffix("\n")
        assert start < end
        assert "-->" not in payload
        tokens = list(_TOKEN.finditer(payload))
        assert "".join(token[0] for token in tokens) == payload
        times = [read_clock(token[1]) for token in tokens if token[1]]
        assert all(before < after for before, after in pairwise([start, *times, end]))
        found.append((start, end, "".join(unescape(token[0]) for token in tokens if not token[1]), times))
        position = block.end()
    return found


@given(text=texts, steps=steps)
def test_every_cue_is_read_back(text: str, steps: Sequence[float]) -> None:
    cues = [cue for cue in cues_of(text, steps) if round(cue.start * 1000) < round(cue.end * 1000)]
    read = read_webvtt("".join(iter_webvtt(cues)))
    assert [text for _, _, text, _ in read] == [cue.text for cue in cues]
    assert [start for start, _, _, _ in read] == [round(cue.start * 1000) for cue in cues]
    assert all(before[1] <= after[0] for before, after in pairwise(read))
    for cue, (_, _, _, times) in zip(cues, read, strict=True):
        assert set(times) <= {round(part.start * 1000) for line in cue.lines for part in line}
    assert [cue[:3] for cue in read_webvtt("".join(iter_webvtt(cues, words=False)))] == [cue[:3] for cue in read]


def test_the_file() -> None:
    lines = ((Part("Fish ", 0.0), Part("&", 0.5)), (Part("<chips>", 36_000.75),))
    assert "".join(iter_webvtt([Cue(0.0, 36_002.0, lines)])) == (
        "WEBVTT\n\n00:00:00.000 --> 10:00:02.000\nFish <00:00:00.500>&amp;\n<10:00:00.750>&lt;chips&gt;\n\n"
    )
    assert "".join(iter_webvtt([])) == "WEBVTT\n\n"


def test_words_at_one_time_share_a_time_and_the_first_needs_none() -> None:
    lines = ((Part("a ", 1.0), Part("b ", 1.0), Part("c ", 1.5), Part("d ", 1.5), Part("e", 2.0)),)
    assert "\na b <00:00:01.500>c d e\n" in "".join(iter_webvtt([Cue(1.0, 2.0, lines)]))


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_a_text_is_never_a_command(hostile: str) -> None:
    text = f"{hostile}a\n\nNOTE {hostile}\n\n00:00:05.000 --> 00:00:06.000\n{hostile}"
    (read,) = read_webvtt("".join(iter_webvtt([one_cue(text)])))
    assert read == (0, 1000, plain(text), [])


def test_right_to_left_stays_in_logical_order() -> None:
    (read,) = read_webvtt("".join(iter_webvtt(cues_of("שלום, עולם", 0.1))))
    assert read == (0, 1000, "שלום, עולם", [600])


def test_cues_that_show_nothing_are_left_out() -> None:
    assert list(iter_webvtt([one_cue(" \n"), one_cue("a", end=0.0004), Cue(0, 1, ())])) == ["WEBVTT\n\n"]
