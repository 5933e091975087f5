"""The schedule of a chaos run follows from its seed and leaves nothing out."""

from __future__ import annotations

import pytest

from tests.chaos.schedule import LINKS, PROCESSES, SHORTEST, schedule


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("seconds", [SHORTEST, 60.0, 180.0])
def test_every_process_is_killed_and_every_fault_occurs(seed: int, seconds: float) -> None:
    faults = schedule(seed, seconds)
    assert {fault.target for fault in faults if fault.kind == "kill"} == set(PROCESSES)
    assert {fault.kind for fault in faults} == {"kill", "pause", *LINKS}
    assert all(fault.at > 0 and fault.at + fault.lasts < 1.1 * seconds for fault in faults)
    assert faults == sorted(faults, key=lambda fault: fault.at)


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    assert schedule(7, 60.0) == schedule(7, 60.0)
    assert schedule(7, 60.0) != schedule(8, 60.0)


def test_a_run_without_room_for_every_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="least"):
        schedule(1, SHORTEST - 1)
