from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.elevenlabs.schedule import PART_MAX_LENGTH, Buffer

WORDS = "one two three four five six seven eight nine ten "


def test_nothing_is_spoken_before_there_is_enough_for_a_voice() -> None:
    buffer = Buffer([60, 100])
    assert buffer.take("one two three ") == []
    assert buffer.take(WORDS) == ["one two three " + WORDS]
    assert buffer.take(WORDS) == []
    assert buffer.take(WORDS) == []
    assert buffer.take(WORDS) == [WORDS * 3]


def test_words_are_not_split_and_sentences_are_kept_together() -> None:
    buffer = Buffer([50])
    assert buffer.take("The first sentence is long enough to be spoken now. And the sec") == [
        "The first sentence is long enough to be spoken now. "
    ]
    assert buffer.take("ond one is no less long, though it has no end and bre") == [
        "And the second one is no less long, though it has no end and "
    ]
    assert buffer.take("aks", all_of_it=True) == ["breaks"]


def test_a_hurry_needs_some_text_and_a_flush_none() -> None:
    buffer = Buffer()
    assert buffer.take("Too short. ", hurry=True) == []
    assert buffer.take(WORDS, hurry=True) == ["Too short. " + WORDS]
    assert buffer.take("End", all_of_it=True) == ["End"]
    assert buffer.take(" ", all_of_it=True) == []


def test_sentence_by_sentence() -> None:
    buffer = Buffer(by_sentence=True)
    assert buffer.take("Hello. How are ") == ["Hello. "]
    assert buffer.take("you? Fine") == ["How are you? "]
    assert buffer.take("", all_of_it=True) == ["Fine"]


@given(
    st.lists(st.tuples(st.text("ab .!\n", max_size=40), st.booleans(), st.booleans()), max_size=40),
    st.lists(st.integers(1, 600), max_size=4),
    st.booleans(),
)
def test_all_of_the_text_is_spoken_once_and_in_its_order(
    pieces: list[tuple[str, bool, bool]], schedule: list[int], by_sentence: bool
) -> None:
    buffer = Buffer(schedule, by_sentence=by_sentence)
    spoken = [part for text, hurry, flush in pieces for part in buffer.take(text, hurry=hurry, all_of_it=flush)]
    spoken += buffer.take("", all_of_it=True)
    assert "".join("".join(spoken).split()) == "".join("".join(text for text, _, _ in pieces).split())
    assert all(part.strip() for part in spoken)


def test_a_long_text_is_spoken_in_several_parts() -> None:
    parts = Buffer().take("word " * 3000)
    assert "".join(parts) == "word " * 3000
    assert max(map(len, parts)) <= PART_MAX_LENGTH
    assert sum(map(len, Buffer().take("x" * 9000, all_of_it=True))) == 9000
