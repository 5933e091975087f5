"""The worker's bench: as much work as it can do at a time, taken from the queue in the order of fairness."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from libs.database import is_database_away
from libs.messaging import Permanent, Signal, heed, signal
from libs.telemetry import trace_context
from services.generation.domain import signals
from services.generation.rendering import failing
from services.generation.rendering.ahead import Ahead
from services.generation.rendering.assembling import assemble, plan_rendition
from services.generation.rendering.deps import WorkerDeps
from services.generation.rendering.pace import SPOKEN, PaceMeter
from services.generation.rendering.speaking import speak_chunk, speak_whole
from services.generation.rendering.turn import Running, Turn
from services.generation.rendering.upkeep import Upkeep
from services.generation.store import queue, taking, workload

logger = logging.getLogger(__name__)
_tracer = trace.get_tracer("antiphon.worker")

POLL_SECONDS = 1.0
"""How long a lost signal can delay work."""
RESERVED_SECONDS = 3.0
"""How long after work that somebody waited for only half as many jobs are spoken at a time as there are engines."""
SHORT = 200
"""Characters of long texts that an engine process has before it while one more piece is taken to wait beside it: a few
hundredths of a second. Behind more, a piece would wait here while another worker has nothing to do, and its text with
it."""
AT_ONCE = 3
"""How many times as much work as there are slots is under way at most, with what is spoken and is being kept; of what
somebody waits for, and of jobs."""

DO: Mapping[str, Callable[[WorkerDeps, queue.Work, Turn], Awaitable[None]]] = {
    "whole": speak_whole,
    "chunk": speak_chunk,
    "plan": plan_rendition,
    "assemble": assemble,
}


class Bench:
    """Takes work, speaks `slots` pieces of it at a time, and keeps the lease on what it has.

    What somebody waits for and what is of jobs have as many slots each: neither waits for the other to end. A piece
    that is spoken leaves its slot to the next while it is being kept.
    """

    def __init__(self, deps: WorkerDeps, *, slots: int, processes: int, time_to_drain: Callable[[], float]) -> None:
        """`time_to_drain` says how many seconds work that runs may take once the worker is to stop."""
        self._deps = deps
        self._slots = slots
        self._processes = processes
        self._time_to_drain = time_to_drain
        self._pace = PaceMeter(processes)
        self._running: dict[UUID, Running] = {}
        self._upkeep = Upkeep(deps, self._pace, self._running)
        self._ahead = Ahead(deps, self._go_on)
        self._declining: set[asyncio.Task[None]] = set()
        self._may_wait = {queue.INTERACTIVE: True, queue.JOB: True}
        self._interactive_at = float("-inf")
        self._woken = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Work until cancelled; then finish what can be finished and give the rest back."""
        await heed(self._deps.bus, signals.WORK, lambda _detail: self._woken.set())
        await heed(self._deps.bus, signals.STOP, lambda _detail: self._upkeep.look_now())
        await heed(self._deps.bus, signals.ENTRUSTED, self._entrusted)
        offers = await heed(self._deps.bus, signals.OFFER, self._offered, among="speech-workers")
        upkeep = asyncio.create_task(self._upkeep.run())
        try:
            while True:
                await self._take()
                await self._wait()
                if upkeep.done():
                    # Without its leases this worker's work would be done by others, too.
                    upkeep.result()
        finally:
            upkeep.cancel()
            # What it has locked could not be given back.
            await asyncio.gather(upkeep, return_exceptions=True)
            if self._deps.bus.is_connected:
                # Others of the group hear of what is offered from now on.
                await offers.unsubscribe()
            await self._drain()

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken.clear()

    async def _take(self) -> None:
        """Take as much as there is room for; a database that is away is asked again at the next poll."""
        while not self._stopping:
            free, room = self._room(queue.INTERACTIVE), self._room_for_jobs()
            if not free and not room:
                # Whether anybody waits is not known: offers may have filled the slots.
                self._may_wait = dict.fromkeys(self._may_wait, True)
                return
            try:
                work = await self._taken(free, room)
            except Exception as error:
                if not is_database_away(error):
                    raise
                logger.warning("the queue cannot be reached", extra={"error": type(error).__name__})
                return
            for one in work:
                self._start(one)
            jobs = sum(one.priority == queue.JOB for one in work)
            if len(work) > jobs:
                self._interactive_at = asyncio.get_running_loop().time()
            limited = taking.is_limited(work)
            self._may_wait = {queue.INTERACTIVE: limited or len(work) - jobs >= free, queue.JOB: jobs >= room}
            if not (0 < free == len(work) - jobs or 0 < room == jobs):
                return

    def _offered(self, offer: Signal) -> None:
        """Begin with what is being written down, unless somebody else comes before that."""
        if not self._stopping and not self._may_wait[queue.INTERACTIVE] and self._room(queue.INTERACTIVE):
            self._ahead.begin(offer)

    def _entrusted(self, told: Signal) -> None:
        if told.content != self._deps.worker_id.bytes:
            return
        work_id = UUID(told.detail)
        work = self._ahead.begun(work_id)
        if work is not None:
            self._start(work)
            self._interactive_at = asyncio.get_running_loop().time()
        elif work_id not in self._running:
            declining = asyncio.create_task(self._decline(work_id))
            self._declining.add(declining)
            declining.add_done_callback(self._declining.discard)

    async def _decline(self, work_id: UUID) -> None:
        """Let others have what this worker began, has forgotten, and was entrusted with after all."""
        try:
            async with self._deps.database.transaction() as session:
                await queue.give_back(session, self._deps.worker_id, [work_id], untried=True)
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("work cannot be declined", extra={"error": type(error).__name__})
            return
        await signal(self._deps.bus, signals.WORK)

    def _start(self, work: queue.Work) -> None:
        if work.id in self._running:
            return
        speech, began = self._ahead.take(work.id) or (None, time.perf_counter())
        turn = Turn(speech, self._go_on, began)
        self._running[work.id] = Running(work, asyncio.create_task(self._do(work, turn)), turn)

    def _go_on(self) -> None:
        # Of an empty queue nothing is to be had by asking again: whoever fills it says so.
        if any(self._may_wait.values()):
            self._woken.set()

    def _room(self, priority: int) -> int:
        """Return how much of what somebody waits for, or of jobs, may be taken."""
        running = [one for one in self._running.values() if one.work.priority == priority]
        speaking = [one.work for one in running if not one.turn.is_spoken]
        count = len(speaking) + (self._ahead.speaking if priority == queue.INTERACTIVE else 0)
        pieces = sum(work.characters for work in speaking if work.kind == "chunk")
        is_little = count >= self._processes and pieces <= self._processes * SHORT
        slots = self._slots if is_little else min(self._processes, self._slots)
        at_once = len(running) + (len(self._ahead) if priority == queue.INTERACTIVE else 0)
        return max(0, min(slots - count, AT_ONCE * self._slots - at_once))

    async def _taken(self, interactive: int, jobs: int) -> list[queue.Work]:
        async with self._deps.database.apart() as session:
            work = await taking.take(
                session,
                self._deps.worker_id,
                interactive + jobs,
                self._deps.ready_engines(),
                most_interactive=interactive,
                most_jobs=jobs,
            )
        if taking.is_limited(work):
            async with self._deps.database.transaction() as session:
                work = await taking.within_shares(session, work)
        return work

    def _room_for_jobs(self) -> int:
        """Return how much work of jobs may be taken: all that there is room for, but while others wait only half.

        The rest of what the machine does for them (uploads, records, projections) is then done for others, too.
        """
        room = self._room(queue.JOB)
        if asyncio.get_running_loop().time() - self._interactive_at < RESERVED_SECONDS:
            running = sum(one.work.priority == queue.JOB for one in self._running.values())
            return max(0, min(room, max(1, self._processes // 2) - running))
        return room

    async def _do(self, work: queue.Work, turn: Turn) -> None:
        try:
            with _tracer.start_as_current_span(
                f"speech {work.kind}",
                context=trace_context(work.trace),
                kind=SpanKind.CONSUMER,
                attributes={"antiphon.queue.seconds": work.waited_seconds, "antiphon.queue.tries": work.tries},
            ) as span:
                try:
                    await self._try(work, turn)
                except Exception as error:  # noqa: BLE001 - whatever it is, the work is tried again or given up
                    span.set_attribute("error.type", type(error).__name__)
                    span.set_status(Status(StatusCode.ERROR))
                    await failing.end_try(self._deps, work, error)
        except Exception:
            # It is given back as unheard, and somebody takes it again.
            logger.exception("the end of a piece of work could not be written down", extra={"kind": work.kind})
        finally:
            self._running.pop(work.id, None)
            self._go_on()
            # What a plan allows no more of at a time may be waiting for just this end.
            if work.most_at_once < queue.UNLIMITED:
                self._woken.set()

    async def _try(self, work: queue.Work, turn: Turn) -> None:
        if work.tries > failing.TAKEN_MOST:
            raise Permanent("the workers that took it ended before they were done")
        with self._pace.measured(work, self._spoken_at_once, turn.began):
            await DO[work.kind](self._deps, work, turn)

    def _spoken_at_once(self) -> int:
        return len(self._ahead) + sum(one.work.kind in SPOKEN for one in self._running.values())

    async def _drain(self) -> None:
        self._stopping = True
        await self._ahead.settled()
        tasks = [one.task for one in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self._time_to_drain())
        left = {work_id: one.task for work_id, one in self._running.items()}
        for task in left.values():
            task.cancel()
        await asyncio.gather(*left.values(), return_exceptions=True)
        async with self._deps.database.transaction() as session:
            await queue.give_back_all(session, self._deps.worker_id)
            await workload.delete_workers(session, self._deps.worker_id)
        await signal(self._deps.bus, signals.WORK)
