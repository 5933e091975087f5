"""Speech that is begun before the request for it is written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import orjson

from libs.messaging import Signal, signal
from libs.speech.engine import Rendered
from services.generation.domain import signals
from services.generation.rendering.deps import WorkerDeps
from services.generation.rendering.speaking import begin_whole
from services.generation.store import queue

FORGOTTEN_SECONDS = 2.0
"""How long what was begun waits for being this worker's work: writing a request down takes milliseconds."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """Work, its speech, and when that was begun, by the clock of time.perf_counter()."""

    work: queue.Work
    task: asyncio.Task[Rendered]
    began: float


class Ahead:
    """What a worker has begun, and has not been entrusted with yet."""

    def __init__(self, deps: WorkerDeps, when_spoken: Callable[[], None]) -> None:
        """`when_spoken` is called whenever an engine is done with something."""
        self._deps = deps
        self._when_spoken = when_spoken
        self._begun: dict[UUID, _Begun] = {}

    def __len__(self) -> int:
        """How much there is, spoken or not."""
        return len(self._begun)

    @property
    def speaking(self) -> int:
        """How much of it is being spoken right now."""
        return sum(not begun.task.done() for begun in self._begun.values())

    def begin(self, offer: Signal) -> None:
        """Begin with what is offered."""
        work = _work(offer)
        if work.payload["spec"]["engine"] not in self._deps.ready_engines():
            return
        task = asyncio.create_task(self._speak(work))
        task.add_done_callback(self._ended)
        self._begun[work.id] = _Begun(work, task, time.perf_counter())
        asyncio.get_running_loop().call_later(FORGOTTEN_SECONDS, self._forget, work.id)

    async def _speak(self, work: queue.Work) -> Rendered:
        await signal(self._deps.bus, signals.BEGUN, str(work.id), self._deps.worker_id.bytes)
        return await begin_whole(self._deps, work)

    def begun(self, work_id: UUID) -> queue.Work | None:
        """Return work that was begun; None when it was not, or is forgotten."""
        begun = self._begun.get(work_id)
        return begun.work if begun else None

    def take(self, work_id: UUID) -> tuple[asyncio.Task[Rendered], float] | None:
        """Return the speech of a piece of work, however far it is, and when it was begun, and forget it.

        None when it was not begun here.
        """
        begun = self._begun.pop(work_id, None)
        return (begun.task, begun.began) if begun else None

    async def settled(self) -> None:
        """Wait until everything that was begun is taken or forgotten."""
        while self._begun:  # noqa: ASYNC110 - FORGOTTEN_SECONDS at most
            await asyncio.sleep(0.01)

    def _forget(self, work_id: UUID) -> None:
        begun = self._begun.pop(work_id, None)
        if begun is not None:
            begun.task.cancel()

    def _ended(self, task: asyncio.Task[Rendered]) -> None:
        # Nobody may ever ask how it ended.
        if not task.cancelled():
            task.exception()
        self._when_spoken()


def _work(offer: Signal) -> queue.Work:
    told = orjson.loads(offer.content)
    return queue.Work(
        id=UUID(offer.detail),
        org_id=UUID(told["org_id"]),
        kind=told["kind"],
        rendition_id=UUID(told["rendition_id"]),
        cache_key=None,
        priority=queue.INTERACTIVE,
        characters=told["characters"],
        most_at_once=queue.UNLIMITED,
        tries=1,
        deaths=0,
        payload=told["payload"],
        trace=told["trace"],
        waited_seconds=0.0,
    )
