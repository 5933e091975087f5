"""Keeps the machine's cores awake while something is measured.

An idle core of a virtual machine is given back to its host, and takes a tenth of a millisecond and more to return: each
hop of a request that is alone then costs more by that than by all that the hop does, in the baselines, too. Linux keeps
idle cores at hand for as long as somebody holds /dev/cpu_dma_latency open and asks for 0 microseconds, which is root's
to do; BENCH_AWAKE=0 leaves them alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_LATENCY = Path("/dev/cpu_dma_latency")


@contextmanager
def kept_awake() -> Iterator[bool]:
    """Keep the cores awake; yields whether that is so: not where it is not permitted, or BENCH_AWAKE=0."""
    with ExitStack() as held:
        wanted = os.environ.get("BENCH_AWAKE") != "0" and os.access(_LATENCY, os.W_OK)
        if wanted:
            held.enter_context(_LATENCY.open("wb", buffering=0)).write(struct.pack("i", 0))
        yield wanted
