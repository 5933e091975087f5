"""How far a process steps back where the processors are all busy."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def step_back(niceness: int) -> None:
    """Make the process nicer by so much, before it has threads of its own.

    Linux may share the processors among sessions first, and among a session's processes only then (autogroups): whoever
    is alone in a session takes nothing less however nice he is. So a session that this process leads becomes as nice.
    """
    nice = os.nice(niceness)
    if nice > 0 and os.getsid(0) == os.getpid():
        # A kernel without autogroups, or one that was told so a moment ago.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice), "ascii")
