"""How many cores a process has, which is not how many the machine has: others may share it, or a container end it."""

from __future__ import annotations

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = _QUOTA) -> int:
    """Return on how many cores this process may compute, at least 1.

    Counts those of its affinity (`taskset`, `--cpuset-cpus`), and no more than its control group's share of time
    (`--cpus`, a Kubernetes limit; cgroup v2), rounded up, where `quota` says so: "<microseconds> <of so many>".
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, _, period = quota.read_text("ascii").partition(" ")
        return max(1, min(cores, math.ceil(int(share) / int(period))))
    except (OSError, ValueError):
        # No control groups here, or "max": no limit.
        return cores
