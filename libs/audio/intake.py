"""Takes in what a client uploaded: decoded and measured in processes that may be lost, bounded in time and memory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from libs.audio.quality import MOST_BYTES, QualityReport
from libs.audio.wire import EXIT_MEMORY, PREFIX, SAMPLE_RATE, Decoded, Reply, Request, pack

_MODULE = "libs.audio.decode_process"
_IMPORT_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_GRACE_SECONDS = 2.0  # the process ends itself at its limit; this is for one that cannot any more
_MOST_HEADER_BYTES = 1 << 16
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take: its own bytes; seconds of audio (the rest is left out), of the clock and of CPU; and
    bytes of memory. Ten minutes of 48 kHz stereo take about 3 s of CPU and 250 MB.
    """

    most_bytes: int = MOST_BYTES
    audio_seconds: float = 600.0
    wall_seconds: float = 30.0
    cpu_seconds: int = 20
    memory_bytes: int = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Examined:
    """`pcm` is mono, 16 bits signed, little-endian, with `sample_rate` samples a second; `report` tells of the file."""

    report: QualityReport
    pcm: bytes = field(repr=False)
    sample_rate: int = SAMPLE_RATE


class IntakeError(Exception):
    """A file was not taken in. The message is for the person who sent it, and has nothing of the file in it."""


class NotAudio(IntakeError):
    """The file is no audio that is taken. Sending it again does not help."""


class DecodingTooLong(IntakeError):
    """The file took more time than it may have."""


class DecodingFailed(IntakeError):
    """The file broke its decoder, or needed more memory than it may have."""


class IntakeUnavailable(Exception):
    """No decoding process can be started; nothing is said about the file."""


class Intake:
    """Examines at most `processes` files at a time; others wait. Belongs to one event loop.

    Processes are started when they are needed and kept for the next file; `close` ends them.
    """

    def __init__(self, processes: int = 2) -> None:
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[Process] = []
        self._running: set[Process] = set()
        self._closed = False

    @property
    def process_ids(self) -> frozenset[int]:
        """The decoding processes that have not ended."""
        return frozenset(process.pid for process in (*self._idle, *self._running) if process.returncode is None)

    async def examine(self, content: bytes, *, limits: Limits = Limits()) -> Examined:
        """Decode and measure the bytes of a file. Cancelling the call ends the work.

        Raises NotAudio, DecodingTooLong, DecodingFailed, IntakeUnavailable.
        """
        if not content:
            raise NotAudio("the file is empty")
        if len(content) > limits.most_bytes:
            raise NotAudio(f"the file is larger than the {limits.most_bytes / 2**20:.0f} MB that are taken")
        async with self._slots, self._process() as process:
            reply, pcm = await _ask(process, content, limits)
        return _examined(reply, pcm)

    async def close(self) -> None:
        """End all processes; calls still running fail with DecodingFailed, waiting ones with IntakeUnavailable."""
        self._closed = True
        for process in self._running:
            _kill(process)
        while self._idle:
            await _end(self._idle.pop())

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[Process]:
        """A process to ask; one that has not answered is ended."""
        if self._closed:
            raise IntakeUnavailable("the intake has been closed")
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
        """A process that is ready. Raises IntakeUnavailable."""
        command = (sys.executable, "-P", "-s", "-m", _MODULE)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, env=_environment(), start_new_session=True
            )
        except OSError as failure:
            raise IntakeUnavailable(f"the decoding process cannot be started: {failure}") from failure
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _receive(process, most_bytes=0)
        except BaseException as failure:
            await _end(process)
            if isinstance(failure, asyncio.IncompleteReadError | TimeoutError):
                raise IntakeUnavailable(
                    "the decoding process did not start; what it printed on stderr says why. "
                    "If a module or silero-vad is missing, install the extra `speech` and requirements/models.txt"
                ) from None
            raise
        return process


async def _ask(process: Process, content: bytes, limits: Limits) -> tuple[Reply, bytes]:
    """What a process says of a file. Raises DecodingTooLong, DecodingFailed."""
    request = Request(
        audio_seconds=limits.audio_seconds,
        wall_seconds=limits.wall_seconds,
        cpu_seconds=limits.cpu_seconds,
        memory_bytes=limits.memory_bytes,
    )
    most_bytes = int((limits.audio_seconds + 1) * SAMPLE_RATE) * 2
    try:
        async with asyncio.timeout(limits.wall_seconds + _GRACE_SECONDS):
            with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, and reading tells so
                await _send(process, request, content)
            try:
                return await _receive(process, most_bytes=most_bytes)
            except asyncio.IncompleteReadError:
                raise _reason(await process.wait(), limits) from None
    except TimeoutError:
        raise _too_long(limits) from None


def _examined(reply: Reply, pcm: bytes) -> Examined:
    if reply["kind"] == "refused":
        raise NotAudio(reply["message"])
    return Examined(QualityReport(**cast("Decoded", reply)["report"]), pcm)


async def _send(process: Process, request: Request, content: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(pack(request, len(content)))
    process.stdin.write(content)
    await process.stdin.drain()


async def _receive(process: Process, *, most_bytes: int) -> tuple[Reply, bytes]:
    """A reply and its body. Raises IncompleteReadError when the process ends instead, DecodingFailed for nonsense."""
    assert process.stdout is not None
    header_bytes, body_bytes = PREFIX.unpack(await process.stdout.readexactly(PREFIX.size))
    if header_bytes > _MOST_HEADER_BYTES or body_bytes > most_bytes:
        raise DecodingFailed("the file broke the decoder; export it again")
    header = await process.stdout.readexactly(header_bytes)
    return cast("Reply", json.loads(header)), await process.stdout.readexactly(body_bytes)


def _reason(status: int, limits: Limits) -> IntakeError:
    """Why a process ended, from its exit status."""
    if status in (128 + signal.SIGXCPU, 128 + signal.SIGALRM):
        return _too_long(limits)
    if status == EXIT_MEMORY:
        return DecodingFailed(
            f"decoding the file takes more than the {limits.memory_bytes / 2**20:.0f} MB of memory that a file may have"
        )
    # Decoders that get no memory end in many ways, so nothing more exact can be said.
    return DecodingFailed("the file broke the decoder, or needed too much memory; export it again")


def _too_long(limits: Limits) -> DecodingTooLong:
    return DecodingTooLong(f"decoding the file takes longer than the {limits.wall_seconds:.0f} s that a file may have")


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
