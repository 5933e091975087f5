"""Whatever an engine reports, the characters of the text are timed one by one, in order and inside the audio."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from libs.speech.alignment import Phoneme, Word, align

RATE = 22_050
words = st.lists(st.builds(Word, st.integers(-3, 60), st.integers(0, 20), st.integers(0, 60_000)), max_size=12)
phonemes = st.lists(st.builds(Phoneme, st.integers(0, 60_000), st.booleans()), max_size=20)


@given(
    text=st.text(min_size=1, max_size=50),
    words=words,
    phonemes=phonemes,
    samples=st.integers(1, 50_000),
    longer=st.floats(0, 1),
)
def test_every_character_is_timed_in_order_inside_the_audio(
    text: str, words: list[Word], phonemes: list[Phoneme], samples: int, longer: float
) -> None:
    duration = samples / RATE + longer
    ordered = sorted(phonemes, key=lambda one: one.sample)
    starts, ends = align(text, words, ordered, total_samples=samples, duration_seconds=duration)
    assert len(starts) == len(ends) == len(text)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert all(before <= after for before, after in pairwise(starts))
    assert all(before <= after for before, after in pairwise(ends))
    assert starts[0] >= 0
    assert ends[-1] <= duration


def test_words_begin_where_the_engine_says() -> None:
    text = "Hello big world"
    spoken = [Word(0, 5, 0), Word(6, 3, 10_000), Word(10, 5, 15_000)]
    starts, _ = align(text, spoken, [], total_samples=22_050, duration_seconds=1.0)
    assert starts[0] == 0
    assert starts[6] == 10_000 / RATE
    assert starts[10] == 15_000 / RATE


def test_a_pause_belongs_to_what_stands_between_the_words() -> None:
    text = "a, b"
    sounds = [Phoneme(0, silent=False), Phoneme(5_000, silent=True), Phoneme(15_000, silent=False)]
    starts, ends = align(text, [Word(0, 1, 0), Word(3, 1, 15_000)], sounds, total_samples=22_050, duration_seconds=1.0)
    assert ends[0] == 5_000 / RATE
    assert (starts[1], ends[2]) == (5_000 / RATE, 15_000 / RATE)
