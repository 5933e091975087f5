"""A fixed number of engine processes and a fair queue before them.

Jobs get a process in the order in which they came. A process that dies, hangs or is in the middle of a job that is
cancelled is killed and replaced; only the job that it had fails. After a number of jobs a process is replaced to bound
its memory, and its successor is ready before it goes.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from time import perf_counter

from libs.speech.engine import EngineCrashed, EngineTimeout, EngineUnavailable
from libs.speech.espeak_child import ESPEAK, Died, EngineProcess, Frame, start_process
from libs.speech.espeak_wire import Fitting, Request

_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 0.1, 5.0


class EnginePool:
    """`size` engine processes, each replaced after `recycle_after` jobs; a job may run for `timeout_seconds`.

    With `niceness` above zero they leave the processors to others, whichever service's.
    """

    def __init__(self, size: int, *, timeout_seconds: float, recycle_after: int, niceness: int = 0) -> None:
        self._size = size
        self._command = (*ESPEAK, str(niceness)) if niceness else ESPEAK
        self._timeout_seconds = timeout_seconds
        self._recycle_after = recycle_after
        self._open = False
        self._living: set[EngineProcess] = set()  # all that have not ended yet
        self._serving: set[EngineProcess] = set()  # those that take jobs, idle or busy
        self._aging: set[EngineProcess] = set()  # those of them whose successor is being started
        self._idle: deque[EngineProcess] = deque()
        self._waiting: deque[Future[EngineProcess]] = deque()
        self._starting: set[Task[None]] = set()
        self.version = ""

    @property
    def is_open(self) -> bool:
        """Whether jobs are taken."""
        return self._open

    @property
    def process_ids(self) -> frozenset[int]:
        """The engine processes that have not ended."""
        return frozenset(process.pid for process in self._living)

    async def start(self) -> None:
        """Start all processes. Raises EngineUnavailable."""
        self._open = True
        try:
            for process in await asyncio.gather(*(self._start_process() for _ in range(self._size))):
                self._arrived(process)
            if not self._open:
                raise EngineUnavailable("the engine was closed while it started")
        except BaseException:
            await self.close()
            raise

    async def ask(self, request: Request | Fitting, body: bytes) -> tuple[Frame, float]:
        """The reply to one request, and the seconds that it waited for a process.

        Raises EngineCrashed, EngineTimeout or EngineUnavailable.
        """
        began = perf_counter()
        process = await self._acquire()
        waited = perf_counter() - began
        try:
            async with asyncio.timeout(self._timeout_seconds):
                frame = await process.ask(request, body)
        except Died:
            if not self._open:
                raise EngineUnavailable("the engine was closed while it spoke this text") from None
            raise EngineCrashed("the engine process died while it spoke this text") from None
        except TimeoutError:
            raise EngineTimeout(f"the engine did not finish this text within {self._timeout_seconds:g} s") from None
        else:
            process.jobs += 1
            return frame, waited
        finally:
            self._release(process)

    async def close(self) -> None:
        """End all processes at once and wait until they are gone."""
        self._open = False
        self._fail_waiting(EngineUnavailable("the engine was closed"))
        starting = list(self._starting)
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        living = list(self._living)
        for process in living:
            process.kill()
        await asyncio.gather(*(process.gone() for process in living))

    async def _start_process(self) -> EngineProcess:
        return await start_process(self._lost, self._command)

    async def _acquire(self) -> EngineProcess:
        if not self._open:
            raise EngineUnavailable("the engine is not running: call start() first, and render nothing after close()")
        if self._idle:
            return self._idle.popleft()
        turn: Future[EngineProcess] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._release(turn.result())  # the turn came together with the cancellation
            raise

    def _release(self, process: EngineProcess) -> None:
        """Give the process to whoever waits longest, or let it rest; end it if it may not serve any longer."""
        if process.busy:
            process.kill()  # it still works on a job that nobody waits for
        elif process in self._serving:
            self._hand_on(process)
            self._age(process)
        else:
            process.dismiss()

    def _hand_on(self, process: EngineProcess) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(process)
                return
        self._idle.append(process)

    def _age(self, process: EngineProcess) -> None:
        if process.jobs >= self._recycle_after and process not in self._aging:
            self._aging.add(process)
            self._top_up()

    def _arrived(self, process: EngineProcess) -> None:
        """A new process serves; if it was started to succeed another, that one goes when it is idle."""
        self.version = process.version
        self._living.add(process)
        process.when_gone(self._living.discard)
        self._serving.add(process)
        if self._aging:
            old = self._aging.pop()
            self._serving.discard(old)
            if old in self._idle:
                self._idle.remove(old)
                old.dismiss()
        self._hand_on(process)

    def _lost(self, process: EngineProcess) -> None:
        """A process ended or is being ended."""
        self._serving.discard(process)
        self._aging.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        self._top_up()

    def _top_up(self) -> None:
        """Start as many processes as are missing."""
        wanted = self._size + len(self._aging) if self._open else 0
        while len(self._serving) + len(self._starting) < wanted:
            task = asyncio.get_running_loop().create_task(self._start_another())
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start_another(self) -> None:
        """Start one process, trying until it succeeds; while there is no other, waiting jobs fail with the reason."""
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                return self._arrived(await self._start_process())
            except EngineUnavailable as failure:
                if not self._serving:
                    self._fail_waiting(failure)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LAST_RETRY_SECONDS)

    def _fail_waiting(self, failure: EngineUnavailable) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(EngineUnavailable(str(failure)))
