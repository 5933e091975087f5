"""Cues that can be read, and that begin when their words do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count, islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.captions.cues import Cue, Limits, Part, cues
from libs.speech.captions.layout import columns
from libs.speech.captions.levels import Timed
from tests.unit.speech.captions.texts import cues_of, steps, texts

AUSTEN = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a "
    "wife. However little known the feelings or views of such a man may be on his first entering a neighbourhood, this "
    "truth is so well fixed in the minds of the surrounding families, that he is considered as the rightful property "
    "of some one or other of their daughters."
)
WAGAHAI = "吾輩は猫である。名前はまだ無い。何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。"


@given(text=texts, steps=steps)
def test_cues_keep_to_the_limits_whatever_the_text(text: str, steps: Sequence[float]) -> None:
    shown = cues_of(text, steps)
    for cue in shown:
        assert 0 < cue.end - cue.start <= 7 + 1e-9
        assert cue.start == cue.lines[0][0].start
        assert 1 <= len(cue.lines) <= 2
        assert all(line and (len(line) == 1 or columns(_text(line)) <= 42) for line in cue.lines)
        assert all(before.start <= after.start for before, after in pairwise(_parts(cue)))
    for before, after in pairwise(shown):
        assert before.end <= after.start
        gap = after.start - before.end
        assert gap == 0 or gap > 0.12 - 1e-9
        assert before.end - before.start >= 0.7 - 1e-9 or before.end == after.start


@given(words=st.lists(st.integers(1, 12), min_size=1, max_size=80), stops=st.sets(st.integers(0, 80)))
def test_no_word_is_lost_and_no_cue_goes_across_sentences(words: list[int], stops: set[int]) -> None:
    text = " ".join(f"{'abcdefghijklm'[:length]}{'.' if index in stops else ''}" for index, length in enumerate(words))
    shown = cues_of(text)
    assert " ".join(cue.text.replace("\n", " ") for cue in shown) == text
    assert all("." not in cue.text[:-1] for cue in shown)


def test_lines_break_after_clauses_or_in_the_middle() -> None:
    assert [cue.text for cue in cues_of(AUSTEN)] == [
        "It is a truth universally acknowledged,",
        "that a single man in possession of a\ngood fortune, must be in want of a wife.",
        "However little known the feelings\nor views of such a man may be",
        "on his first entering a neighbourhood,",
        "this truth is so well fixed in the\nminds of the surrounding families,",
        "that he is considered\nas the rightful property",
        "of some one or other of their daughters.",
    ]


def test_lines_of_ideographs_hold_half_as_many() -> None:
    shown = cues_of(WAGAHAI, 0.15)
    assert "".join(cue.text.replace("\n", "") for cue in shown) == WAGAHAI
    assert all(len(line) <= 21 and line[0] not in "、。" for cue in shown for line in cue.text.split("\n"))
    assert shown[-1].text == "何でも薄暗いじめじめした所でニャーニャー\n泣いていた事だけは記憶している。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("— Yes! * * * * * No.", ["— Yes!", "No."]),
        ("He said “hello”  and/or (maybe)\n¿qué", ["He said “hello” and/or (maybe) ¿qué"]),
        ("Bonjour ! Oui", ["Bonjour !", "Oui"]),
        ("a\x00b\u2028c", ["a b c"]),
        ("“他说：《红楼梦》”", ["“他说：《红楼梦》”"]),
        ("...", []),
        ("", []),
    ],
    ids=["dash and stars", "quotes", "space before the mark", "control characters", "chinese", "silence", "nothing"],
)  # fmt: skip
def test_words_are_shown_with_their_punctuation(text: str, expected: list[str]) -> None:
    assert [cue.text for cue in cues_of(text)] == expected


def test_lines_do_not_break_before_the_ending_of_a_word() -> None:
    assert [cue.text for cue in cues_of("「スーパーで2024年に買いました」と彼は言った", 0.1)] == [
        "「スーパーで2024年に\n買いました」と彼は言った"
    ]


def test_a_word_longer_than_a_line_is_kept_whole() -> None:
    long = "Donau" * 20
    assert [cue.text for cue in cues_of(f"Die {long} ruft.", 0.01)] == [f"Die\n{long}", "ruft."]


def test_a_line_is_never_too_long_for_the_sake_of_a_clause() -> None:
    (cue,) = cues_of("a" * 29 + ", " + "b" * 9 + "/" + "c" * 40, 0.01)
    assert cue.text == "a" * 29 + ", " + "b" * 9 + "/\n" + "c" * 40


def test_short_and_fast_cues_stay_while_there_is_room() -> None:
    words = [Timed("Hi", 1.0, 1.1, 0, 2), Timed("extraordinarily" * 2, 5.0, 5.1, 4, 34), Timed("bye", 5.4, 5.5, 36, 39)]
    text = "Hi. " + "extraordinarily" * 2 + ". bye"
    shown = list(cues(text, words, [(0, 4), (4, 36), (36, 39)], duration_seconds=5.6))
    assert [(cue.start, cue.end) for cue in shown] == [(1.0, 1.7), (5.0, 5.4), (5.4, 5.6)]
    alone = list(cues(text, words[:2], [(0, 4), (4, 36), (36, 39)], duration_seconds=60))
    assert alone[1].end == 5.0 + 31 / 20


@pytest.mark.parametrize(("pause", "gap"), [(0.05, 0.0), (0.2, 0.2)], ids=["closed", "kept"])
def test_only_gaps_too_short_to_see_are_closed(pause: float, gap: float) -> None:
    words = [Timed("One", 0.0, 1.0, 0, 3), Timed("two", 1.0 + pause, 3.0, 5, 8)]
    first, second = cues("One. two", words, [(0, 5), (5, 8)], duration_seconds=3)
    assert second.start == 1.0 + pause
    assert second.start - first.end == pytest.approx(gap)


def test_a_word_that_goes_on_and_on_is_shown_for_seven_seconds() -> None:
    words = [Timed("Ooooh", 0.0, 7.1, 0, 5), Timed("no", 7.1, 8.0, 6, 8)]
    first, second = cues("Ooooh no", words, [(0, 8)], duration_seconds=8)
    assert second.start == 7.1
    assert first.end == pytest.approx(6.98)


def test_words_without_time_are_shown_only_where_there_is_room() -> None:
    words = [Timed("a", 1.0, 1.0, 0, 1), Timed("b", 1.0, 2.0, 3, 4), Timed("c", 2.0, 2.0, 6, 7)]
    shown = list(cues("a. b. c", words, [(0, 3), (3, 6), (6, 7)], duration_seconds=2.5))
    assert [(cue.text, cue.start, cue.end) for cue in shown] == [("b.", 1.0, 2.0), ("c", 2.0, 2.5)]


def test_cues_come_while_the_words_do() -> None:
    def endless() -> Iterator[Timed]:
        for index in count():
            yield Timed("a.", index, index + 0.5, index * 3, index * 3 + 1)

    sentences = [(index * 3, index * 3 + 3) for index in range(100)]
    shown = cues("a. " * 100, endless(), sentences, duration_seconds=math.inf)
    assert [cue.start for cue in islice(shown, 10)] == list(range(10))


def test_other_limits() -> None:
    shown = cues_of("one two three four five six seven eight", limits=Limits(columns=10, longest=1.5))
    assert all(len(line) <= 10 for cue in shown for line in cue.text.split("\n"))
    assert all(cue.end - cue.start <= 1.5 for cue in shown)


def _parts(cue: Cue) -> list[Part]:
    return [part for line in cue.lines for part in line]


def _text(line: Sequence[Part]) -> str:
    return "".join(part.text for part in line)
