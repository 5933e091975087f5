"""A pool of bounded processes, from the side of who asks them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from libs.bounded.wire import EXIT_MEMORY, PREFIX, Bounds, pack

_IMPORT_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_GRACE_SECONDS = 2.0  # the process ends itself at its limit; this is for one that cannot any more
_MOST_HEADER_BYTES = 1 << 16
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")


class TookTooLong(Exception):
    """A file took more time than it may have."""


class Broke(Exception):
    """A file broke the process that read it. `out_of_memory` if it needed more than it may have, as far as is known."""

    def __init__(self, *, out_of_memory: bool = False) -> None:
        super().__init__()
        self.out_of_memory = out_of_memory


class PoolUnavailable(Exception):
    """No process can be started; nothing is said about the file."""


class BoundedPool:
    """Asks at most `processes` processes at a time; others wait. Belongs to one event loop.

    `module` is what is run: it calls `libs.bounded.process.serve`. Processes are started when they are needed and kept
    for the next file; `close` ends them.
    """

    def __init__(self, module: str, processes: int = 2) -> None:
        self._module = module
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[Process] = []
        self._running: set[Process] = set()
        self._closed = False

    @property
    def process_ids(self) -> frozenset[int]:
        """The processes that have not ended."""
        return frozenset(process.pid for process in (*self._idle, *self._running) if process.returncode is None)

    async def ask(
        self,
        asked: Mapping[str, Any],  # Any: JSON
        content: bytes,
        bounds: Bounds,
        *,
        most_bytes: int,
    ) -> tuple[dict[str, Any], bytes]:
        """Return the answer about a file: a header, and a body of up to `most_bytes`. Cancelling ends the work.

        Raises TookTooLong, Broke, PoolUnavailable.
        """
        request = {"bounds": asdict(bounds), "asked": dict(asked)}
        async with self._slots, self._process() as process:
            return await _ask(process, request, content, bounds, most_bytes)

    async def close(self) -> None:
        """End all processes; calls still running fail with Broke, waiting ones with PoolUnavailable."""
        self._closed = True
        for process in self._running:
            _kill(process)
        while self._idle:
            await _end(self._idle.pop())

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[Process]:
        """A process to ask; one that has not answered is ended."""
        if self._closed:
            raise PoolUnavailable("the pool has been closed")
        while self._idle and self._idle[-1].returncode is not None:
            self._idle.pop()  # ended while nobody needed it, and no file is to blame
        process = self._idle.pop() if self._idle else await self._start()
        self._running.add(process)
        answered = False
        try:
            yield process
            answered = True
        finally:
            self._running.discard(process)
            if answered and not self._closed:
                self._idle.append(process)
            else:
                await _end(process)

    async def _start(self) -> Process:
        """A process that is ready. Raises PoolUnavailable."""
        command = (sys.executable, "-P", "-s", "-m", self._module)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, env=_environment(), start_new_session=True
            )
        except OSError as failure:
            raise PoolUnavailable(f"the process cannot be started: {failure}") from failure
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _receive(process, most_bytes=0)
        except BaseException as failure:
            await _end(process)
            if isinstance(failure, asyncio.IncompleteReadError | TimeoutError):
                raise PoolUnavailable("the process did not start; what it printed on stderr says why") from None
            raise
        return process


async def _ask(
    process: Process,
    request: Mapping[str, Any],  # Any: JSON
    content: bytes,
    bounds: Bounds,
    most_bytes: int,
) -> tuple[dict[str, Any], bytes]:
    """What a process says of a file. Raises TookTooLong, Broke."""
    try:
        async with asyncio.timeout(bounds.wall_seconds + _GRACE_SECONDS):
            with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, and reading tells so
                await _send(process, request, content)
            try:
                return await _receive(process, most_bytes=most_bytes)
            except asyncio.IncompleteReadError:
                raise _reason(await process.wait()) from None
    except TimeoutError:
        raise TookTooLong from None


async def _send(process: Process, request: Mapping[str, Any], content: bytes) -> None:  # Any: JSON
    assert process.stdin is not None
    process.stdin.write(pack(request, len(content)))
    process.stdin.write(content)
    await process.stdin.drain()


async def _receive(process: Process, *, most_bytes: int) -> tuple[dict[str, Any], bytes]:  # Any: JSON
    """A reply and its body. Raises IncompleteReadError when the process ends instead, Broke for nonsense."""
    assert process.stdout is not None
    header_bytes, body_bytes = PREFIX.unpack(await process.stdout.readexactly(PREFIX.size))
    if header_bytes > _MOST_HEADER_BYTES or body_bytes > most_bytes:
        raise Broke
    header = await process.stdout.readexactly(header_bytes)
    return json.loads(header), await process.stdout.readexactly(body_bytes)


def _reason(status: int) -> TookTooLong | Broke:
    """Why a process ended, from its exit status."""
    if status in (128 + signal.SIGXCPU, 128 + signal.SIGALRM):
        return TookTooLong()
    # Readers that get no memory end in many ways, so nothing more exact can be said of the others.
    return Broke(out_of_memory=status == EXIT_MEMORY)


async def _end(process: Process) -> None:
    """Kill a process and its fork, and leave no pipe open."""
    _kill(process)
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _kill(process: Process) -> None:
    # The group has the fork in it, and outlives its leader.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """Only what a Python process needs: the parent's own environment leads to secrets."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # A process that forks may have no second thread, and onnxruntime's telemetry is one.
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    return passed_on | single | {"PYTHONPATH": str(_IMPORT_ROOT), "PYTHONUTF8": "1"}
