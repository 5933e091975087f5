"""Stepping back where the processors are all busy."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os
from libs.niceness import step_back
from tests.support.groups import nice_of_group
nice, before = os.getpriority(os.PRIO_PROCESS, 0), nice_of_group(os.getpid())
step_back(3)
now = os.getpriority(os.PRIO_PROCESS, 0)
print(f"{now - nice},{now},{before},{nice_of_group(os.getpid())}")
"""

# Leads a session, and starts the program as another process of it.
_LEADER = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"


def stepped_back(*command: str) -> tuple[int, int, str, str]:
    """By how much the process stepped back, its niceness then, its group's before and after (None if it has none)."""
    done = subprocess.run(
        [sys.executable, "-c", *command],
        start_new_session=True,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    by, nice, before, after = done.stdout.rstrip("\n").split(",")
    return int(by), int(nice), before, after


def test_a_session_is_as_nice_as_the_process_that_leads_it() -> None:
    by, nice, _, group = stepped_back(_PROGRAM)
    assert by == 3
    assert group in ("None", str(nice))


def test_a_session_that_somebody_else_leads_stays_as_it_is() -> None:
    by, _, before, after = stepped_back(_LEADER, _PROGRAM)
    assert (by, after) == (3, before)


def test_a_session_of_its_own_is_as_nice_as_its_process() -> None:
    _, nice, _, group = stepped_back(_LEADER, _PROGRAM.replace("step_back", "step_back_alone"))
    assert group in ("None", str(nice))


_NOT_HEARD = """
from libs import niceness
class Busy:
    tries = 0
    def exists(self): return True
    def write_text(self, text, encoding):
        self.tries += 1
        if self.tries < 3: raise BlockingIOError
niceness._GROUP = Busy()
niceness.step_back(3)
print(f"{niceness._GROUP.tries},0,,")
"""


def test_who_is_not_listened_to_says_it_again() -> None:
    """Whoever is not root is listened to ten times a second, all together."""
    assert stepped_back(_NOT_HEARD)[0] == 3
