"""Work that is offered to a worker while it is being written down, so that it is spoken meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import orjson

from libs.ids import new_id
from libs.messaging import Bus, Signal, heed, signal
from libs.telemetry import current_trace_headers
from services.generation.domain import signals
from services.generation.store.queue import INTERACTIVE, UNLIMITED, NewWork

ANSWER_SECONDS = 0.002
"""How long writing down waits for a worker's answer: as long as looking for the work would take the worker."""
STALE_SECONDS = 1.0
"""How old an offer may be when it is written down: half of what a worker remembers it."""
SHARED_SECONDS = 1.0
"""How long an equal request is taken to have looked for what it could share before this one was written down."""
PAUSE_SECONDS = 0.05
"""How long nothing is offered after nobody answered: all are busy, or there is none."""


class Offer:
    """One piece of work that is offered, with the id that it will have in the queue."""

    def __init__(self, answer: asyncio.Future[UUID] | None) -> None:
        self.work_id = new_id()
        self._made_at = time.monotonic()
        self.worker: UUID | None = None
        """Whose work it is written down to be."""
        self._answer = answer

    async def entrust(self) -> UUID | None:
        """Return the worker that has begun with it; None when none is heard of within ANSWER_SECONDS.

        None, too, when it was so long ago that the worker may have forgotten it.
        """
        if self._answer is not None and time.monotonic() - self._made_at < STALE_SECONDS:
            done, _ = await asyncio.wait({self._answer}, timeout=ANSWER_SECONDS)
            self.worker = self._answer.result() if done else None
        return self.worker

    def withdraw(self) -> None:
        """Say that it was not written down."""
        self.worker = None


class Offers:
    """Offers work to the workers of this broker.

    A worker that has nothing else to do begins with it at once. Should it not be written down in the end, the worker
    forgets it; should the worker not be heard of in time, the work is taken from the queue as any other.
    """

    def __init__(self, bus: Bus) -> None:
        """Nobody's answer is heard before `start`."""
        self._bus = bus
        self._answers: dict[UUID, asyncio.Future[UUID]] = {}
        self._under_way: dict[tuple[UUID, str], asyncio.Event] = {}
        self._again_at = float("-inf")

    async def start(self) -> None:
        """Begin to listen."""
        await heed(self._bus, signals.BEGUN, self._heed)

    @asynccontextmanager
    async def making(self, work: NewWork | None, fingerprint: str | None) -> AsyncIterator[Offer]:
        """Offer work while it is being written down within, and afterwards tell the worker that it is.

        Where none has begun with it, or nothing is offered, all workers are told that there is work.

        Work whose organisation may have only so much done at a time is left to the queue, which knows what is. Of
        equal requests, which have the same `fingerprint`, the first is offered; the others wait until it is written
        down, and share what is made of it.
        """
        async with self._made(work, fingerprint) as offer:
            yield offer
        if offer.worker is None:
            await signal(self._bus, signals.WORK)
        else:
            await signal(self._bus, signals.ENTRUSTED, str(offer.work_id), offer.worker.bytes)

    @asynccontextmanager
    async def _made(self, work: NewWork | None, fingerprint: str | None) -> AsyncIterator[Offer]:
        equal = (work.org_id, fingerprint) if work is not None and fingerprint is not None else None
        first = self._under_way.get(equal) if equal else None
        if first is not None:
            await first.wait()
        if work is None or first is not None or not self._is_of_use(work):
            yield Offer(None)
            return
        written = asyncio.Event()
        if equal:
            self._under_way[equal] = written
        try:
            async with self._offering(work) as offer:
                yield offer
        finally:
            written.set()
            if equal:
                asyncio.get_running_loop().call_later(SHARED_SECONDS, self._under_way.pop, equal, None)

    @asynccontextmanager
    async def _offering(self, work: NewWork) -> AsyncIterator[Offer]:
        answer: asyncio.Future[UUID] = asyncio.get_running_loop().create_future()
        offer = Offer(answer)
        self._answers[offer.work_id] = answer
        try:
            await signal(self._bus, signals.OFFER, str(offer.work_id), _told(work))
            yield offer
        finally:
            del self._answers[offer.work_id]
            if not answer.done():
                self._again_at = time.monotonic() + PAUSE_SECONDS

    def _is_of_use(self, work: NewWork) -> bool:
        is_possible = work.priority == INTERACTIVE and work.most_at_once >= UNLIMITED and self._bus.is_connected
        return is_possible and time.monotonic() >= self._again_at

    def _heed(self, heard: Signal) -> None:
        answer = self._answers.get(UUID(heard.detail))
        if answer is not None and not answer.done():
            answer.set_result(UUID(bytes=heard.content))


def _told(work: NewWork) -> bytes:
    return orjson.dumps(
        {
            "org_id": work.org_id,
            "kind": work.kind,
            "rendition_id": work.rendition_id,
            "characters": work.characters,
            "payload": work.payload,
            "trace": current_trace_headers(),
        }
    )
