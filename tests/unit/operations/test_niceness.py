"""Stepping back where the processors are all busy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os
from libs.service.niceness import step_back
before = os.getpriority(os.PRIO_PROCESS, 0)
step_back(3)
group = open("/proc/self/autogroup").read().split()[-1] if os.path.exists("/proc/self/autogroup") else ""
print(os.getpriority(os.PRIO_PROCESS, 0) - before, os.getpriority(os.PRIO_PROCESS, 0), group)
"""


def stepped_back(*, leads_its_session: bool) -> tuple[int, int, str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        start_new_session=leads_its_session,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    by, nice, group = done.stdout.rstrip("\n").split(" ")
    return int(by), int(nice), group


def test_a_session_is_as_nice_as_the_process_that_leads_it() -> None:
    by, nice, group = stepped_back(leads_its_session=True)
    assert by == 3
    assert group in ("", str(nice))


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="the kernel does not group processes by session")
def test_a_session_that_somebody_else_leads_stays_as_it_is() -> None:
    before = Path("/proc/self/autogroup").read_text().split()[-1]
    by, _, group = stepped_back(leads_its_session=False)
    assert (by, group) == (3, before)
