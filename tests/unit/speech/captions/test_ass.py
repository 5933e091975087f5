"""ASS as libass reads it: sections, one event a line, and karaoke that adds up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given

from libs.speech.captions.ass import iter_ass
from libs.speech.captions.cues import Cue, Part
from tests.unit.speech.captions.texts import HOSTILE, cues_of, one_cue, plain, steps, texts, without_joiners

_TIME = re.compile(r"(\d+):([0-5]\d):([0-5]\d)\.(\d\d)")
_TOKEN = re.compile(r"\{\\k(\d+)\}|(\\N)|\\({){}|(\\)(?=\u2060)|([^\\{])", re.DOTALL)
FIELDS = ["Layer", "Start", "End", "Style", "Name", "MarginL", "MarginR", "MarginV", "Effect", "Text"]


def read_ass(document: str) -> list[tuple[int, int, str, list[int]]]:
    """Start and end in 1/100 s, text and karaoke durations of each event. Fails on what libass would not read so."""
    sections = re.split(r"^\[(.+)\]\n", document, flags=re.MULTILINE)
    assert sections[0] == ""
    assert sections[1::2] == ["Script Info", "V4+ Styles", "Events"]
    info = dict(line.split(": ", 1) for line in sections[2].splitlines() if line)
    assert (info["ScriptType"], info["PlayResX"], info["PlayResY"]) == ("v4.00+", "1920", "1080")
    names, style = (line.split(": ", 1)[1].split(",") for line in sections[4].strip().split("\n"))
    assert len(names) == len(style) == 23
    described, *events = sections[6].removesuffix("\n").split("\n")
    assert described == "Format: " + ", ".join(FIELDS)
    return [_event(line, style[0]) for line in events]


def _event(line: str, style: str) -> tuple[int, int, str, list[int]]:
    kind, content = line.split(": ", 1)
    assert kind == "Dialogue"
    fields = dict(zip(FIELDS, content.split(",", 9), strict=True))
    assert (fields["Layer"], fields["Style"], fields["Effect"]) == ("0", style, "")
    tokens = list(_TOKEN.finditer(fields["Text"]))
    assert "".join(token[0] for token in tokens) == fields["Text"]
    text = "".join("\n" if token[2] else token[3] or token[4] or token[5] or "" for token in tokens)
    start, end = _clock(fields["Start"]), _clock(fields["End"])
    return start, end, text, [int(token[1]) for token in tokens if token[1]]


def _clock(text: str) -> int:
    time = _TIME.fullmatch(text)
    assert time is not None
    hours, minutes, seconds, hundredths = map(int, time.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 100 + hundredths


@given(text=texts, steps=steps)
def test_every_cue_is_read_back(text: str, steps: Sequence[float]) -> None:
    cues = [cue for cue in cues_of(text, steps) if round(cue.start * 100) < round(cue.end * 100)]
    read = read_ass("".join(iter_ass(cues, title=text)))
    assert [without_joiners(text) for _, _, text, _ in read] == [without_joiners(cue.text) for cue in cues]
    assert all(before[1] <= after[0] for before, after in pairwise(read))
    for cue, (start, end, _, lasting) in zip(cues, read, strict=True):
        assert start == round(cue.start * 100)
        assert sum(lasting) == end - start
        begins = [round(part.start * 100) for line in cue.lines for part in line]
        assert [start + passed for passed in accumulate(lasting[:-1], initial=0)] == begins
    assert [cue[:3] for cue in read_ass("".join(iter_ass(cues, words=False)))] == [cue[:3] for cue in read]


def test_the_events() -> None:
    lines = ((Part("One ", 3599.994), Part("two,", 3600.5)), (Part("{3}", 3600.5),))
    events = list(iter_ass([Cue(3599.994, 36_000.0, lines)], title="A\nB"))
    assert "Title: A B\n" in events[0]
    assert events[1:] == [
        "Dialogue: 0,0:59:59.99,10:00:00.00,Default,,0,0,0,,{\\k51}One {\\k0}two,\\N{\\k3239950}\\{{}3}\n"
    ]


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_a_text_is_never_a_command(hostile: str) -> None:
    text = f"{hostile}a\nDialogue: 0,{hostile}\\"
    (read,) = read_ass("".join(iter_ass([one_cue(text)], title=hostile)))
    assert (*read[:2], without_joiners(read[2].strip()), read[3]) == (0, 100, without_joiners(plain(text)), [100])


def test_no_event_without_cues() -> None:
    assert read_ass("".join(iter_ass([one_cue(" \n"), one_cue("a", end=0.004), Cue(0, 1, ())]))) == []
