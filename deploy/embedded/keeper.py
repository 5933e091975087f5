"""Keeping one process alive: start it, see it ready, start it again when it ends."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.embedded.errors import StackError
from deploy.embedded.processes import Child
from deploy.embedded.record import ProcessRecord, ProcessState

QUICK_SECONDS = 10.0
"""A process that ends sooner after its start than this died quickly."""

QUICK_DEATHS = 3
"""So many quick deaths in a row are reported; restarts go on, but ever more slowly."""

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True)
class Unit:
    """What is kept alive, and how.

    `start` may raise StackError or OSError when it cannot be started at all. `until_ready` returns when the process
    does its work and raises StackError when it does not in time. `health` is for the record, see ProcessRecord.
    """

    name: str
    start: Callable[[], Awaitable[Child]]
    until_ready: Callable[[Child], Awaitable[None]]
    log_tail: Callable[[], str]
    port: int
    url: str
    health: str
    stop_rank: int
    stop_signal: signal.Signals
    stop_seconds: float


class Keeper:
    """Keeps one unit alive from `run` until that is cancelled; then `stop` ends the process.

    `first_ready` resolves when it first does its work, or fails with a StackError after three quick deaths.
    """

    def __init__(self, unit: Unit, *, changed: Callable[[], None], announce: Callable[[str], None]) -> None:
        self.unit = unit
        self.first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed = changed
        self._announce = announce
        self._child: Child | None = None
        self._state: ProcessState = "starting"
        self._detail: str | None = None
        self._restarts = 0

    async def run(self) -> None:
        try:
            await self._keep()
        except Exception as error:  # a fault of ours: whoever waits for the unit must hear of it
            if not self.first_ready.done():
                self._fail_first(error)
            raise

    async def stop(self) -> None:
        """End the process: with its signal first, by force after its deadline."""
        child, seconds = self._child, self.unit.stop_seconds
        if child and not child.ended and not await child.stop(self.unit.stop_signal, seconds):
            self._announce(f"{self.unit.name} took longer than {seconds:g} s to stop and was killed")
        self._turn("stopped", None)

    def kill(self) -> None:
        """End the process at once."""
        if self._child:
            self._child.send(signal.SIGKILL)

    def record(self) -> ProcessRecord | None:
        """What is known of the process; None before it was first started."""
        if self._child is None:
            return None
        return ProcessRecord(
            pid=self._child.pid,
            port=self.unit.port,
            url=self.unit.url,
            started_at=datetime.fromtimestamp(self._child.started_at, UTC).isoformat(timespec="milliseconds"),
            restarts=self._restarts,
            identity=self._child.identity,
            state=self._state,
            health=self.unit.health,
            detail=self._detail,
        )

    async def _keep(self) -> None:
        quick_deaths = 0
        while True:
            began = time.monotonic()
            end = await self._live()
            quick_deaths = quick_deaths + 1 if time.monotonic() - began < QUICK_SECONDS else 1
            if quick_deaths < QUICK_DEATHS:
                self._turn("restarting", end)
                self._announce(f"{self.unit.name} {end}; it is started again")
            else:
                self._report(f"{end}, {quick_deaths} times in a row")
            await asyncio.sleep(pause_before(quick_deaths))
            self._restarts += 1

    async def _live(self) -> str:
        """One life of the process, from its start to its end. Returns how it ended, for a sentence about it."""
        try:
            child = self._child = await self.unit.start()
        except (StackError, OSError) as error:
            return f"could not be started: {error}"
        self._turn("starting" if self._restarts == 0 else "restarting", self._detail)
        ready = asyncio.create_task(self._become_ready(child))
        ended = asyncio.create_task(child.wait())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done() and (obstacle := ready.result()):
                child.send(signal.SIGKILL)
                await ended
                return obstacle
            return describe_exit(await ended)
        finally:
            ready.cancel()
            ended.cancel()

    async def _become_ready(self, child: Child) -> str | None:
        """None when it is ready; otherwise why it will not be."""
        try:
            await self.unit.until_ready(child)
        except StackError as error:
            return str(error)
        self._turn("ready", None)
        if not self.first_ready.done():
            self.first_ready.set_result(None)
        else:
            self._announce(f"{self.unit.name} is ready again")
        return None

    def _report(self, what: str) -> None:
        text = f"{self.unit.name} {what}. The end of its log:\n{indent(self.unit.log_tail())}"
        self._turn("failing", text)
        if self.first_ready.done():
            self._announce(text)
        else:
            self._fail_first(StackError(text))

    def _fail_first(self, error: Exception) -> None:
        self.first_ready.set_exception(error)
        self.first_ready.exception()  # nobody may be waiting any more when another unit failed before

    def _turn(self, state: ProcessState, detail: str | None) -> None:
        self._state, self._detail = state, detail
        self._changed()


def pause_before(quick_deaths: int) -> float:
    """Seconds to wait before a restart: doubled by each quick death in a row, from 0.2 s up to 30 s."""
    return min(_FIRST_PAUSE_SECONDS * 2.0**quick_deaths, _LONGEST_PAUSE_SECONDS)


def describe_exit(code: int) -> str:
    """How a process ended, for a sentence that begins with its name."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
