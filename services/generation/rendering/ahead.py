"""Speech that is begun before the request for it is written down."""

from __future__ import annotations

import asyncio
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


class Ahead:
    """What a worker has begun, and has not been entrusted with yet."""

    def __init__(self, deps: WorkerDeps) -> None:
        """Nothing is begun."""
        self._deps = deps
        self._begun: dict[UUID, tuple[queue.Work, asyncio.Task[Rendered]]] = {}

    @property
    def speaking(self) -> int:
        """How much of it is being spoken right now."""
        return sum(not task.done() for _, task in self._begun.values())

    def begin(self, offer: Signal) -> None:
        """Begin with what is offered."""
        work = _work(offer)
        if work.payload["spec"]["engine"] not in self._deps.ready_engines():
            return
        task = asyncio.create_task(self._speak(work))
        task.add_done_callback(_heard)
        self._begun[work.id] = work, task
        asyncio.get_running_loop().call_later(FORGOTTEN_SECONDS, self._forget, work.id)

    async def _speak(self, work: queue.Work) -> Rendered:
        await signal(self._deps.bus, signals.BEGUN, str(work.id), self._deps.worker_id.bytes)
        return await begin_whole(self._deps, work)

    def entrusted(self, told: Signal) -> queue.Work | None:
        """Return work that this worker has begun and now has; None for another worker's, and for what is forgotten."""
        begun = self._begun.get(UUID(told.detail)) if told.content == self._deps.worker_id.bytes else None
        return begun[0] if begun else None

    def take(self, work_id: UUID) -> asyncio.Task[Rendered] | None:
        """Return the speech of a piece of work, however far it is, and forget it; None when it was not begun here."""
        begun = self._begun.pop(work_id, None)
        return begun[1] if begun else None

    async def settled(self) -> None:
        """Wait until everything that was begun is taken or forgotten."""
        while self._begun:
            await asyncio.wait([task for _, task in self._begun.values()])
            await asyncio.sleep(0.01)

    def _forget(self, work_id: UUID) -> None:
        task = self.take(work_id)
        if task is not None:
            task.cancel()


def _heard(task: asyncio.Task[Rendered]) -> None:
    """Nobody may ever ask how it ended."""
    if not task.cancelled():
        task.exception()


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
