"""The engine's positions, as they were measured, at the characters that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.speech.alignment import Word
from libs.speech.text.reading import Reading, spread
from libs.speech.text.ssml import parse_ssml, plain_positions


def heard(inside: str, at: list[tuple[str, int, int]]) -> list[str]:
    """The plain text of each word, for words `length` long at `offset` in the first place of a text."""
    markup = parse_ssml(f"<speak>{inside}</speak>")
    reading = markup.render(0, len(markup.plain))
    words = [Word(reading.text.index(text) + offset, length, index) for index, (text, offset, length) in enumerate(at)]
    placed = plain_positions(words, reading)
    assert [word.sample for word in placed] == list(range(len(at)))
    return [markup.plain[word.position : word.position + word.length] for word in placed]


def test_words_after_markup() -> None:
    inside = "one <break/><emphasis>two</emphasis> 😀 three"
    assert heard(inside, [("one", 0, 3), ("two", 0, 3), ("three", 0, 5)]) == ["one", "two", "three"]


def test_a_reference_is_the_character_it_stands_for() -> None:
    assert heard("one &amp; two", [("one", 0, 3), ("&amp;", 4, 1), ("two", 0, 3)]) == ["one", "&", "two"]


def test_words_of_an_alias_are_in_what_it_stands_for() -> None:
    inside = 'the <sub alias="World Wide Web">WWW</sub> here'
    words = [("the", 0, 3), ("World", 0, 5), ("Wide", 0, 4), ("Web", 0, 3), ("here", 0, 4)]
    assert heard(inside, words) == ["the", "W", "W", "W", "here"]


def test_a_symbol_with_two_words_keeps_both() -> None:
    assert heard("one 😀 two", [("one", 0, 3), ("😀", 0, 1), ("😀", 1, 1), ("two", 0, 3)]) == ["one", "😀", " ", "two"]


@pytest.mark.parametrize("between", ["", "<mark name='x'/>", "<emphasis/>"], ids=["text", "mark", "nothing"])
@pytest.mark.parametrize("offset", [0, 1])
def test_a_word_after_an_abbreviation_is_not_its_dot(between: str, offset: int) -> None:
    inside = f"see approx. {between}two more"
    words = [("see", 0, 3), ("approx", 0, 6), (". ", offset, 1), ("more", 0, 4)]
    assert heard(inside, words) == ["see", "approx", "t", "more"]


def test_numbers_keep_their_words() -> None:
    assert heard("a 25 cats", [("a", 0, 1), ("25", 0, 2), ("25", 0, 2), ("cats", 0, 4)]) == ["a", "25", "25", "cats"]


def test_text_for_nothing_is_part_of_the_word_before() -> None:
    reading = Reading("ab cd", [0, 1, -1, -1, -1])
    assert plain_positions([Word(0, 2, 0), Word(3, 2, 9)], reading) == [Word(0, 2, 0)]
    assert plain_positions([Word(1, 3, 0)], Reading("abcdef", spread(6, 4, 7))) == [Word(4, 2, 0)]


@pytest.mark.parametrize("position", [-1, 3, 99])
def test_a_position_outside_is_no_word(position: int) -> None:
    assert plain_positions([Word(position, 1, 0)], Reading.plain("abc")) == []


@given(st.lists(st.tuples(st.integers(-2, 60), st.integers(0, 9)), max_size=12))
def test_any_positions_are_taken(at: list[tuple[int, int]]) -> None:
    spelled = "<say-as interpret-as='characters'>x1</say-as>"
    markup = parse_ssml(f"<speak>a. <emphasis>Be</emphasis> &amp; {spelled}!</speak>")
    reading = markup.render(0, len(markup.plain))
    for word in plain_positions([Word(position, length, 0) for position, length in at], reading):
        assert 0 <= word.position < word.position + word.length <= len(markup.plain)
