"""Keeps the machine's cores awake while something is measured.

An idle core of a virtual machine is given back to its host, and takes a tenth of a millisecond and more to return: each
hop of a request that is alone then costs more by that than by all that the hop does, in the baselines, too. A program
on each core that runs only when nothing else wants to (SCHED_IDLE) keeps them; BENCH_AWAKE=0 leaves them alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_PROGRAM = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
parent = int(sys.argv[2])
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def kept_awake() -> Iterator[int]:
    """Keep this process's cores awake; yields how many: 0 where the system cannot, or BENCH_AWAKE=0."""
    with ExitStack() as running:
        wanted = os.environ.get("BENCH_AWAKE") != "0" and hasattr(os, "SCHED_IDLE")
        cores = sorted(os.sched_getaffinity(0)) if wanted else []
        for core in cores:
            program = subprocess.Popen([sys.executable, "-c", _PROGRAM, str(core), str(os.getpid())])
            running.callback(program.wait)
            running.callback(program.kill)
        yield len(cores)
