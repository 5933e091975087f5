"""Ending a stack's processes, and seeing them come back."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tests.support.polling import eventually
from tests.support.stack import Stack

BACK_SECONDS = 60.0
"""For a process to be ended, started again and ready, on a machine that is busy with other things."""


async def restarted(stack: Stack, process: str, number: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal that ends a process, and return when the next one of its name is ready."""
    before = stack.pid(process)
    os.kill(before, number)
    await back(stack, process, before)


async def back(stack: Stack, process: str, before: int) -> None:
    """Wait until a process is ready under another pid than `before`."""

    async def is_ready() -> bool:
        now = stack.record["processes"][process]
        return bool(now["pid"] != before and now["state"] == "ready")

    await eventually(is_ready, within=BACK_SECONDS, what=f"a new {process}")


@asynccontextmanager
async def down(stack: Stack, process: str) -> AsyncIterator[None]:
    """Keep a process dead while the block runs; afterwards it is started again, and ready when this returns."""
    supervisor, before = int(stack.record["supervisor_pid"]), stack.pid(process)
    # Whoever would start it again at once is paused for so long.
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(before, signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)
    await back(stack, process, before)


@contextmanager
def paused(stack: Stack, process: str) -> Iterator[None]:
    """Stop a process in the middle of whatever it does; it goes on after the block."""
    pid = stack.pid(process)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
