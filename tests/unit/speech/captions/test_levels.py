"""Words and sentences are timed by their characters, in order and inside the audio."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.captions.levels import Level, Timed, alignment_document, sentence_times, word_times
from libs.speech.captions.words import words

TEXT = " Hi, you!  — \nBye. "
SENTENCES = [(0, 10), (10, 13), (13, 19)]
STARTS = [index / 10 for index in range(len(TEXT))]
ENDS = [index / 10 for index in range(1, len(TEXT) + 1)]


def test_a_word_is_heard_from_its_first_character_to_its_last() -> None:
    assert word_times(TEXT, STARTS, ENDS, words(TEXT)) == [
        Timed("Hi", 0.1, 0.3, 1, 3),
        Timed("you", 0.5, 0.8, 5, 8),
        Timed("Bye", 1.4, 1.7, 14, 17),
    ]


def test_units_without_a_sound_are_no_words() -> None:
    assert [word.text for word in word_times("a - b", [0.0] * 5, [0.0] * 5, [(0, 1), (2, 3), (4, 5)])] == ["a", "b"]


def test_sentences_are_timed_without_the_spaces_around_them() -> None:
    assert sentence_times(TEXT, STARTS, ENDS, [*SENTENCES, (19, 19)]) == [
        Timed("Hi, you!", 0.1, 0.9, 1, 9),
        Timed("—", 1.1, 1.2, 11, 12),
        Timed("Bye.", 1.4, 1.8, 14, 18),
    ]


steps = st.lists(st.floats(0, 2), min_size=1, max_size=40)


@given(text=st.text(max_size=40), starts=steps, ends=steps)
def test_times_never_decrease_and_stay_inside(text: str, starts: list[float], ends: list[float]) -> None:
    begins = list(accumulate((starts * 40)[: len(text)]))
    stops = list(accumulate((ends * 40)[: len(text)], initial=0.0))[1:]
    stops = [max(begin, stop) for begin, stop in zip(begins, stops, strict=True)]
    timed = word_times(text, begins, stops, words(text))
    assert all(begins[0] <= word.start <= word.end <= stops[-1] for word in timed)
    assert all(before.end <= after.start for before, after in pairwise(timed))
    assert all(word.text == text[word.start_index : word.end_index] for word in timed)


def test_the_document_of_each_level() -> None:
    characters = alignment_document("ab", [0, 1], [1, 2], [(0, 2)], Level.CHARACTER)
    assert characters == {"characters": ["a", "b"], "start_times": [0, 1], "end_times": [1, 2]}
    unit = {"text": "ab", "start": 0, "end": 2, "start_index": 0, "end_index": 2}
    assert alignment_document("ab", [0, 1], [1, 2], [(0, 2)], Level.WORD) == {"words": [unit]}
    assert alignment_document("ab", [0, 1], [1, 2], [(0, 2)], Level.SENTENCE) == {"sentences": [unit]}
    assert alignment_document("", [], [], [], Level.WORD) == {"words": []}


@pytest.mark.parametrize("level", Level)
def test_a_text_and_times_of_different_lengths_are_refused(level: Level) -> None:
    with pytest.raises(ValueError, match="2 characters have 1 start and 2 end times"):
        alignment_document("ab", [0], [1, 2], [(0, 2)], level)
