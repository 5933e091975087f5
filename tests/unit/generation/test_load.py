"""How long a request would wait, and whether that is too long."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import pytest

from services.generation.domain.errors import Overloaded
from services.generation.domain.load import RETRY_MAX_SECONDS, Limits, Load, Pace, Waiting, admit, together

OWN, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
LIMITS = Limits(interactive_seconds=10, job_seconds=100)


EVEN = Pace(0.0, 0.01)
"""One worker that speaks 100 characters a second, in however many pieces."""


def waiting(characters: Mapping[tuple[UUID, int], int]) -> dict[tuple[UUID, int], Waiting]:
    return {owner: Waiting(1, count) for owner, count in characters.items()}


def test_nothing_waits_where_nothing_is_known_of_the_pace() -> None:
    assert Load(waiting({(OWN, 0): 1_000_000}), None).waiting_seconds(OWN, "interactive") == 0


def test_workers_are_as_fast_together_as_all_of_them() -> None:
    assert together([Pace(0.1, 0.01)]) == Pace(0.1, 0.01)
    assert together([Pace(0.1, 0.01), Pace(0.1, 0.01)]).seconds(50, 1_000) == pytest.approx(7.5)
    assert together([Pace(0.1, 0.01), Pace(0.3, 0.03)]).seconds(50, 1_000) == pytest.approx(11.25)
    # Of a release that counted all in the characters.
    assert together([Pace(0.1, 0.01), Pace(0.0, 0.03)]).seconds(1, 1_000) == pytest.approx(7.5)


@pytest.mark.parametrize(
    ("characters", "interactive", "job"),
    [
        ({}, 0, 0),
        ({(OWN, 0): 1_000}, 10, 10),
        # Of others' work no more comes before it than it has itself.
        ({(OWN, 0): 1_000, (OTHER, 0): 50_000}, 20, 510),
        ({(OWN, 0): 1_000, (OTHER, 0): 500, (THIRD, 0): 2_000}, 25, 35),
        ({(OTHER, 0): 50_000}, 0, 500),
        # Jobs come after all interactive work, and before none of it.
        ({(OWN, 1): 1_000, (OWN, 0): 300, (OTHER, 0): 200}, 5, 15),
        ({(OWN, 1): 1_000, (OTHER, 1): 50_000}, 0, 20),
    ],
    ids=["empty", "own", "another's backlog", "two others", "only another's", "jobs behind", "jobs evenly"],
)
def test_waiting_is_own_work_and_a_fair_share_of_others(
    characters: dict[tuple[UUID, int], int], interactive: float, job: float
) -> None:
    load = Load(waiting(characters), EVEN)
    assert load.waiting_seconds(OWN, "interactive") == interactive
    assert load.waiting_seconds(OWN, "job") == job


def test_what_is_admitted_is_counted_in() -> None:
    load = Load({}, EVEN)
    for _ in range(2):
        load = admit(load, LIMITS, OWN, "interactive", 600)
    assert load.waiting == {(OWN, 0): Waiting(pieces=4, characters=1_200)}
    assert load.pace == EVEN
    with pytest.raises(Overloaded) as refusal:
        admit(load, LIMITS, OWN, "interactive", 1)
    assert (refusal.value.waiting_seconds, refusal.value.retry_after_seconds) == (12.0, 2)
    assert admit(load, LIMITS, OWN, "job", 5).waiting == {**load.waiting, (OWN, 1): Waiting(1, 5)}
    assert admit(load, LIMITS, OTHER, "interactive", 5).waiting[(OTHER, 0)] == Waiting(1, 5)


@pytest.mark.parametrize(
    ("characters", "seconds"),
    [(1_001, 1), (1_250, 3), (100_000_000, RETRY_MAX_SECONDS)],
    ids=["at least one", "rounded up", "at most an hour"],
)
def test_whoever_is_refused_may_come_again_once_enough_is_spoken(characters: int, seconds: int) -> None:
    with pytest.raises(Overloaded) as refusal:
        admit(Load(waiting({(OWN, 0): characters}), EVEN), LIMITS, OWN, "interactive", 1)
    assert refusal.value.retry_after_seconds == seconds


def test_as_much_as_the_limit_may_wait() -> None:
    admit(Load(waiting({(OWN, 0): 1_000}), EVEN), LIMITS, OWN, "interactive", 1)
