"""What a process counts as its cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.service import usable_cores
from services.generation.settings import WorkerSettings

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("said", "cores"),
    [("max 100000\n", ALLOWED), ("100000 100000\n", 1), ("50000 100000\n", 1), ("150000 100000\n", min(2, ALLOWED))],
)
def test_a_control_groups_share_of_time_counts(tmp_path: Path, said: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(said)
    assert usable_cores(tmp_path / "cpu.max") == cores


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "cpu.max") == ALLOWED


@pytest.fixture
def allowed() -> Iterator[int]:
    """How many cores this process may use: one, where the system pins processes."""
    if not hasattr(os, "sched_setaffinity"):
        yield ALLOWED
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield 1
    os.sched_setaffinity(0, before)


def test_a_worker_has_an_engine_process_for_each_core_it_may_use(allowed: int) -> None:
    assert usable_cores() == allowed
    assert WorkerSettings.model_fields["engine_processes"].get_default(call_default_factory=True) == allowed
