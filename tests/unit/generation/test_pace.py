"""What a worker says of its pace, from the pieces of work that it has done."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from services.generation.rendering.pace import FIRST_GUESS, PaceMeter


def speak(meter: PaceMeter, characters: int, pieces: int, *, piece: float, character: float) -> None:
    for _ in range(pieces):
        meter.add(characters, piece + character * characters)


def test_before_anything_is_measured_it_is_a_guess_for_all_processes() -> None:
    assert PaceMeter(4).pace.seconds(4, 4_000) == pytest.approx(FIRST_GUESS.seconds(1, 1_000))


@pytest.mark.parametrize(("piece", "character"), [(0.1, 0.0002), (0.004, 0.02), (0.5, 0.005), (0.0, 0.001)])
def test_what_pieces_and_characters_take_is_told_apart_where_they_differ(piece: float, character: float) -> None:
    meter = PaceMeter(2)
    for _ in range(30):
        for characters in (20, 60, 250, 480):
            speak(meter, characters, 1, piece=piece, character=character)
    for pieces, characters in ((1, 40), (1, 500), (10, 200), (3, 1_500)):
        took = (pieces * piece + characters * character) / 2
        assert meter.pace.seconds(pieces, characters) == pytest.approx(took, rel=0.15)


@pytest.mark.parametrize("characters", [1, 60, 500])
def test_of_equal_pieces_is_known_what_they_take(characters: int) -> None:
    meter = PaceMeter(1)
    speak(meter, characters, 100, piece=0.2, character=0.003)
    took = 0.2 + 0.003 * characters
    assert meter.pace.seconds(1, characters) == pytest.approx(took, rel=0.02)


@pytest.mark.parametrize("slower", [1, 5])
def test_long_texts_are_told_right_after_nothing_but_short_ones(slower: float) -> None:
    """Counted by their characters alone, they would be said to take three times as long."""
    meter = PaceMeter(1)
    piece, character = slower * FIRST_GUESS.piece_seconds, slower * FIRST_GUESS.character_seconds
    speak(meter, 60, 200, piece=piece, character=character)
    assert meter.pace.seconds(20, 10_000) == pytest.approx(20 * piece + 10_000 * character, rel=0.05)


def test_whatever_is_measured_each_character_takes_something() -> None:
    meter = PaceMeter(1)
    for characters, seconds in ((10, 1.0), (500, 0.001)) * 50:
        meter.add(characters, seconds)
    assert meter.pace.character_seconds > 0
    assert meter.pace.piece_seconds >= 0


def test_work_beside_more_than_there_are_processes_took_its_share_of_the_time() -> None:
    meter = PaceMeter(2)
    spoken: Any = SimpleNamespace(kind="whole", characters=100)  # Any: stands in for Work
    for _ in range(200):
        with meter.measured(spoken, lambda: 4, time.perf_counter() - 1.0):
            """Nothing: it began a second ago."""
    # Half a second of one process, and there are two.
    assert meter.pace.seconds(1, 100) == pytest.approx(0.25, rel=0.05)


def test_what_is_not_speaking_tells_nothing_of_the_pace() -> None:
    meter = PaceMeter(2)
    before = meter.pace
    joining: Any = SimpleNamespace(kind="assemble", characters=1)  # Any: stands in for Work
    with meter.measured(joining, lambda: 1, time.perf_counter() - 10.0):
        """Nothing: it began ten seconds ago."""
    assert meter.pace == before
