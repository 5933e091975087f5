"""A process with an engine of its own for one piece of work, ended when it takes too much."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_IMPORT_ROOT = Path(__file__).resolve().parents[3]
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")
_MOST_REPLY_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What one piece of work may take: seconds of the clock and of CPU, and bytes beyond the code's own."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int = 1024 * 2**20


class ChildFailed(Exception):
    """The work was not done; the message is for the client, and has nothing of the request in it."""


class ChildTookTooLong(ChildFailed):
    """The work was ended at its limits."""


# Any: JSON, both ways.
async def ask_child(
    module: str, header: dict[str, Any], body: bytes, limits: ChildLimits
) -> tuple[dict[str, Any], bytes]:
    """Start `module` for one request, and return its answer. Cancelling the call ends the work.

    Raises ChildFailed, ChildTookTooLong.
    """
    encoded = json.dumps(header | {"limits": asdict(limits)}).encode()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-m", module),
            stdin=PIPE,
            stdout=PIPE,
            env=_environment(),
            start_new_session=True,
        )
    except OSError as failure:
        raise ChildFailed(f"the process for it cannot be started: {failure}") from failure
    try:
        async with asyncio.timeout(limits.wall_seconds):
            reply, _ = await process.communicate(len(encoded).to_bytes(4) + encoded + body)
    except TimeoutError:
        raise _too_long(limits) from None
    finally:
        await _end(process)
    if process.returncode in (-signal.SIGXCPU, -signal.SIGALRM, -signal.SIGKILL):
        raise _too_long(limits)
    if process.returncode != 0 or len(reply) > _MOST_REPLY_BYTES:
        raise ChildFailed("the process for it broke off")
    size = int.from_bytes(reply[:4])
    return json.loads(reply[4 : 4 + size]), reply[4 + size :]


def _too_long(limits: ChildLimits) -> ChildTookTooLong:
    return ChildTookTooLong(f"it took longer than the {limits.wall_seconds:.0f} s that it may have")


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _environment() -> dict[str, str]:
    """Only what a Python process needs: the parent's own environment leads to secrets."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return passed_on | single | {"PYTHONPATH": str(_IMPORT_ROOT), "PYTHONUTF8": "1"}
