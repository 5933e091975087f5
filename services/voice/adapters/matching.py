"""Matching, from outside: one process for each voice, ended when it takes too much."""

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

from services.voice.domain import Matched, MatchingFailed, Reference

_MODULE = "services.voice.adapters.matching_process"
_IMPORT_ROOT = Path(__file__).resolve().parents[3]
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")
_MOST_REPLY_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class MatchingLimits:
    """What one match may take: seconds of the clock and of CPU, and bytes beyond the code's own.

    A minute of reference takes some 15 s of CPU and 300 MB.
    """

    wall_seconds: float = 180.0
    cpu_seconds: int = 90
    memory_bytes: int = 1024 * 2**20


async def match_timbre(reference: Reference, *, limits: MatchingLimits = MatchingLimits()) -> Matched:
    """Find how eSpeak NG comes nearest to a voice. Cancelling the call ends the work. Raises MatchingFailed."""
    header = {"sample_rate": reference.sample_rate, "language": reference.language, "limits": asdict(limits)}
    encoded = json.dumps(header).encode()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-m", _MODULE),
            stdin=PIPE,
            stdout=PIPE,
            env=_environment(),
            start_new_session=True,
        )
    except OSError as failure:
        raise MatchingFailed(f"the matching process cannot be started: {failure}") from failure
    try:
        async with asyncio.timeout(limits.wall_seconds):
            reply, _ = await process.communicate(len(encoded).to_bytes(4) + encoded + reference.pcm)
    except TimeoutError:
        raise _too_long(limits) from None
    finally:
        await _end(process)
    if process.returncode in (-signal.SIGXCPU, -signal.SIGALRM, -signal.SIGKILL):
        raise _too_long(limits)
    if process.returncode != 0 or len(reply) > _MOST_REPLY_BYTES:
        raise MatchingFailed("the matching process broke off; the voice is spoken plainly")
    return _matched(reply)


def _matched(reply: bytes) -> Matched:
    size = int.from_bytes(reply[:4])
    found: dict[str, Any] = json.loads(reply[4 : 4 + size])  # Any: JSON of the process
    if "failed" in found:
        raise MatchingFailed(found["failed"])
    return Matched(found["engine_settings"], found["report"], reply[4 + size :])


def _too_long(limits: MatchingLimits) -> MatchingFailed:
    return MatchingFailed(f"matching took longer than the {limits.wall_seconds:.0f} s that a voice may have")


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _environment() -> dict[str, str]:
    """Only what a Python process needs: the parent's own environment leads to secrets."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return passed_on | single | {"PYTHONPATH": str(_IMPORT_ROOT), "PYTHONUTF8": "1"}
