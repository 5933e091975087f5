"""One engine process, seen from the worker: started, asked one thing at a time, ended."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio import Future, SubprocessProtocol, SubprocessTransport, WriteTransport
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from libs.speech.engine import EngineUnavailable
from libs.speech.espeak_wire import PREFIX, Reply, pack_prefix

Frame = tuple[Reply, memoryview]
"""A reply and its body."""

ESPEAK = (sys.executable, "-P", "-s", "-m", "libs.speech.espeak_process")
"""What eSpeak NG's process is started with; its niceness may follow."""
_IMPORT_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")


class Died(Exception):
    """The process ended before it replied."""


class EngineProcess(SubprocessProtocol):
    """A running engine process; made by `start_process`. Holds one request at most.

    `on_end` is called once, as soon as the process ends or is told to. `jobs` is the owner's count.
    """

    def __init__(self, on_end: Callable[[EngineProcess], None]) -> None:
        loop = asyncio.get_running_loop()
        self.version = ""
        self.greeting: Mapping[str, object] = {}
        """The first frame that it sent; `version` is one of its fields."""
        self.jobs = 0
        self._on_end = on_end
        self._ended = False
        self._busy = True  # until it says that it is ready
        self._gone: Future[None] = loop.create_future()
        self._reply: Future[Frame] = loop.create_future()
        self._received = bytearray()
        self._frame_bytes = PREFIX.size

    @property
    def pid(self) -> int:
        """The operating system's number of the process."""
        return self._transport.get_pid()

    @property
    def busy(self) -> bool:
        """Whether it owes a reply, also to an asker who has gone."""
        return self._busy

    @property
    def exit_code(self) -> int | None:
        """What the process ended with, a signal's number below zero; None as long as that is not known."""
        return self._transport.get_returncode()

    async def ready(self, within_seconds: float = _START_SECONDS) -> None:
        """Wait until the process can take jobs. Raises EngineUnavailable, with the process's reason if it gives one."""
        try:
            async with asyncio.timeout(within_seconds):
                reply, _ = await self._reply
        except Died:
            raise EngineUnavailable(
                "the engine process ended while it started; what it printed on stderr says why. "
                "If a module is missing, install the extra: pip install antiphon[speech]"
            ) from None
        except TimeoutError:
            raise EngineUnavailable(f"the engine process was not ready within {within_seconds:.0f} s") from None
        self.greeting = cast("Mapping[str, object]", reply)
        if self.greeting["kind"] == "failed":
            raise EngineUnavailable(str(self.greeting["message"]))
        self.version = str(self.greeting["version"])

    async def ask(self, request: Mapping[str, object], text: bytes) -> Frame:
        """The reply to one request. Raises Died."""
        if self._ended:
            raise Died
        self._busy = True
        self._reply = asyncio.get_running_loop().create_future()
        self._stdin().write(pack_prefix(request, len(text)) + text)
        return await self._reply

    def dismiss(self) -> None:
        """Let the process end by itself: nobody will ask it anything."""
        self._stdin().close()

    def kill(self) -> None:
        """End the process at once."""
        self._transport.close()
        self._end()

    async def gone(self) -> None:
        """Wait until the process has ended and its pipes are closed."""
        await asyncio.shield(self._gone)

    def when_gone(self, call: Callable[[EngineProcess], None]) -> None:
        """Call back when the process has ended and its pipes are closed."""
        self._gone.add_done_callback(lambda _: call(self))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("SubprocessTransport", transport)

    def pipe_data_received(self, _fd: int, data: bytes) -> None:
        self._received += data
        while len(self._received) >= self._frame_bytes:
            if self._frame_bytes == PREFIX.size:
                self._frame_bytes += sum(PREFIX.unpack_from(self._received))
            else:
                self._take_frame()

    def pipe_connection_lost(self, _fd: int, _exc: Exception | None) -> None:
        self._end()

    def process_exited(self) -> None:
        self._end()

    def connection_lost(self, _exc: Exception | None) -> None:
        # A process that ended by itself leaves its transport open otherwise.
        self._transport.close()
        self._gone.set_result(None)

    def _take_frame(self) -> None:
        frame = memoryview(self._received)
        self._received, self._frame_bytes = bytearray(frame[self._frame_bytes :]), PREFIX.size
        header_bytes, body_bytes = PREFIX.unpack_from(frame)
        body_at = PREFIX.size + header_bytes
        reply = cast("Reply", json.loads(bytes(frame[PREFIX.size : body_at])))
        self._busy = False
        if not self._reply.done():
            self._reply.set_result((reply, frame[body_at : body_at + body_bytes]))

    def _end(self) -> None:
        """Whatever is waited for will not come any more."""
        if self._ended:
            return
        self._ended = True
        if self._busy and not self._reply.done():
            self._reply.set_exception(Died())
            self._reply.exception()  # nobody waits for it if the start was cancelled, which is no error
        self._on_end(self)

    def _stdin(self) -> WriteTransport:
        return cast("WriteTransport", self._transport.get_pipe_transport(0))


async def start_process(
    on_end: Callable[[EngineProcess], None],
    command: Sequence[str] = ESPEAK,
    *,
    environment: Mapping[str, str] | None = None,
    within_seconds: float = _START_SECONDS,
) -> EngineProcess:
    """A process that is ready for jobs: eSpeak NG's, or what `command` starts with `environment` in place of the usual.

    Raises EngineUnavailable; leaves no process behind when it fails.
    """
    try:
        _, process = await asyncio.get_running_loop().subprocess_exec(
            lambda: EngineProcess(on_end), *command, stderr=None, env=environment or _environment()
        )
    except OSError as failure:
        raise EngineUnavailable(f"the engine process cannot be started: {failure}") from failure
    try:
        await process.ready(within_seconds)
    except BaseException:
        process.kill()
        await process.gone()
        raise
    return process


def _environment() -> dict[str, str]:
    """Only what a Python process needs: the worker's own environment leads to secrets."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # One process is one core: threads of its own would only get into the others' way.
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return passed_on | single | {"PYTHONPATH": str(_IMPORT_ROOT), "PYTHONUTF8": "1"}
