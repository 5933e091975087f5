"""Looks into files that clients sent, in processes that may be lost: bounded in time, memory and bytes read."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from libs.objectstore import ObjectStore, ObjectStoreUnavailable
from services.storage.domain.content import ContentRefused, Found, MediaKind, ProbingUnavailable

PREFIX = struct.Struct("<I")
"""Before each message: how many bytes of JSON it has."""
_MODULE = "services.storage.adapters.probe_process"
_IMPORT_ROOT = Path(__file__).resolve().parents[3]
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")
_MOST_MESSAGE_BYTES = 1 << 16
_GRACE_SECONDS = 2.0  # the process ends itself at its limit; this is for one that cannot any more
_BROKE = "the file broke what looks into it, or needed too much memory; export it again"


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """What looking into one file may take: seconds of the clock and of CPU, bytes of memory beyond the code's own, and
    bytes read, as often as the file has them and `spare_bytes` more.
    """

    wall_seconds: float = 60.0
    cpu_seconds: int = 40
    memory_bytes: int = 512 * 2**20
    readings: int = 3
    spare_bytes: int = 64 * 2**20


class Prober:
    """Looks into at most `processes` files at a time; others wait. Belongs to one event loop."""

    def __init__(self, objects: ObjectStore, processes: int = 2, limits: ProbeLimits = ProbeLimits()) -> None:
        """The process gets what it reads of a file from here: it can open nothing by itself."""
        self._objects = objects
        self._slots = asyncio.Semaphore(processes)
        self._limits = limits

    async def probe(self, key: str, size: int, kind: MediaKind, content_type: str) -> Found:
        """Say what the object under `key` is, which should be of `kind`. Cancelling the call ends the work.

        Of texts, whose form nothing in them tells, `content_type` does. Raises ContentRefused, ProbingUnavailable,
        ObjectMissing, ObjectStoreUnavailable.
        """
        async with self._slots:
            process = await _start()
            try:
                async with asyncio.timeout(self._limits.wall_seconds + _GRACE_SECONDS) as patience:
                    request = asdict(self._limits) | {"kind": kind, "size": size, "content_type": content_type}
                    _write(process, orjson.dumps(request))
                    return await self._converse(process, key, size, patience)
            except asyncio.IncompleteReadError:
                raise ContentRefused(_reason(await process.wait(), self._limits)) from None
            except (BrokenPipeError, ConnectionResetError):
                raise ContentRefused(_reason(await process.wait(), self._limits)) from None
            except TimeoutError:
                raise ContentRefused(_too_long(self._limits)) from None
            finally:
                await _end(process)

    async def _converse(self, process: Process, key: str, size: int, patience: asyncio.Timeout) -> Found:
        """Give the process what it asks for until it has found out.

        What the object store takes is none of the time that a file may have: that bounds itself.
        """
        assert process.stdin is not None
        left = size * self._limits.readings + self._limits.spare_bytes
        while True:
            message = await _receive(process)
            if "found" in message:
                return Found(**message["found"])
            if "refused" in message:
                raise ContentRefused(message["refused"])
            offset, length = message["offset"], message["length"]
            left -= length
            if left < 0 or not 0 <= offset < offset + length <= size:
                raise ContentRefused("the file leads whoever reads it back and forth without end; export it again")
            with _paused(patience):
                block = await self._read(key, offset, length)
            process.stdin.write(block)
            await process.stdin.drain()

    async def _read(self, key: str, offset: int, length: int) -> bytes:
        async with self._objects.open(key, {"range": f"bytes={offset}-{offset + length - 1}"}) as reader:
            content = b"".join([chunk async for chunk in reader.chunks])
        if len(content) != length:
            raise ObjectStoreUnavailable("the object store sent another part than the one that was asked for")
        return content


@contextmanager
def _paused(patience: asyncio.Timeout) -> Iterator[None]:
    """Let no time pass while the block runs."""
    ends = patience.when()
    assert ends is not None
    loop = asyncio.get_running_loop()
    left = ends - loop.time()
    patience.reschedule(None)
    yield
    patience.reschedule(loop.time() + left)


async def _start() -> Process:
    """A process that waits for its request. Raises ProbingUnavailable."""
    command = (sys.executable, "-P", "-s", "-m", _MODULE)
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=_environment(), start_new_session=True
        )
    except OSError as failure:
        raise ProbingUnavailable(f"the probing process cannot be started: {failure}") from failure


def _write(process: Process, message: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(PREFIX.pack(len(message)) + message)


async def _receive(process: Process) -> dict[str, Any]:  # Any: JSON
    """What the process says. Raises IncompleteReadError when it ends instead, ContentRefused for nonsense."""
    assert process.stdout is not None
    (length,) = PREFIX.unpack(await process.stdout.readexactly(PREFIX.size))
    if length > _MOST_MESSAGE_BYTES:
        raise ContentRefused(_BROKE)
    message: dict[str, Any] = orjson.loads(await process.stdout.readexactly(length))
    return message


def _reason(status: int, limits: ProbeLimits) -> str:
    """Why a process ended, from its exit status."""
    if status in (-signal.SIGXCPU, -signal.SIGALRM):
        return _too_long(limits)
    return _BROKE


def _too_long(limits: ProbeLimits) -> str:
    return f"looking into the file takes longer than the {limits.wall_seconds:.0f} s that a file may have"


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _environment() -> dict[str, str]:
    """Only what a Python process needs: the parent's own environment leads to secrets."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {"PYTHONPATH": str(_IMPORT_ROOT), "PYTHONUTF8": "1"}
