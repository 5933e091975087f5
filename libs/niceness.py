"""How far a process steps back where the processors are all busy."""

from __future__ import annotations

import os
import time
from pathlib import Path

_GROUP = Path("/proc/self/autogroup")
_TELLING_SECONDS, _PAUSE_SECONDS = 2.0, 0.05
"""Whoever is not root is listened to ten times a second, all together."""


def step_back(niceness: int) -> None:
    """Make the process nicer by so much, before it has threads of its own.

    Linux may share the processors among sessions first, and among a session's processes only then (autogroups): whoever
    is alone in a session takes nothing less however nice he is. So a session that this process leads becomes as nice.
    """
    nice = os.nice(niceness)
    # Else there are no such groups, or none that is this process's own.
    if nice > 0 and os.getsid(0) == os.getpid() and _GROUP.exists():
        _tell(nice)


def step_back_alone(niceness: int) -> None:
    """Do as `step_back` does in a session of its own, so that it is not compared with its parent's processes alone.

    The process must not lead a group of processes, which one that was just started does not.
    """
    os.setsid()
    step_back(niceness)


def _tell(nice: int) -> None:
    until = time.monotonic() + _TELLING_SECONDS
    while time.monotonic() < until:
        try:
            _GROUP.write_text(str(nice), "ascii")
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            return
        else:
            return
