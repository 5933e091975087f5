"""News of finished generations, for requests that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCanceled, GenerationCompleted, GenerationFailed
from libs.contracts.registry import event_type
from libs.database import Driver
from libs.ids import parse_id
from libs.messaging import Bus
from services.generation.domain.requests import Generation

_FINISHED = "generation.finished"


def note_finished(session: AsyncSession, generation: Generation) -> None:
    """Say that the transaction of `session` finishes a generation."""
    session.info.setdefault(_FINISHED, []).append(generation)


class Finishes:
    """Tells waiting requests that their generation is finished, whichever process finished it.

    As a transaction hook it learns of those that this process finished; of the others it overhears the
    events on their way into the stream. A notice can be lost, so whoever waits also looks for himself
    now and then.
    """

    def __init__(self, bus: Bus) -> None:
        """Nothing is heard before `start`."""
        self._bus = bus
        self.is_closing = False
        """Whether the process is about to stop: nobody should go on waiting in it."""
        self._expected: dict[UUID, set[asyncio.Future[Generation | None]]] = {}
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        """Begin to listen."""
        for event in (GenerationCompleted, GenerationFailed, GenerationCanceled):
            subject = event_type(event).subject
            self._subscriptions.append(await self._bus.client.subscribe(subject, cb=self._hear))

    def close(self) -> None:
        """Send those who wait away with what is there now: the process is about to stop."""
        self.is_closing = True
        for generation_id in list(self._expected):
            self._tell(generation_id, None)

    async def before_commit(self, _session: AsyncSession, _driver: Driver) -> None:
        """Nothing is finished yet."""

    async def after_commit(self, session: AsyncSession) -> None:
        """Tell those who wait in this process at once, without the way over the broker."""
        for generation in session.info.pop(_FINISHED, ()):
            self._tell(generation.id, generation)

    async def _hear(self, message: Msg) -> None:
        generation_id = parse_id((message.headers or {}).get("ce-subject", ""))
        if generation_id is not None:
            self._tell(generation_id, None)

    def _tell(self, generation_id: UUID, generation: Generation | None) -> None:
        for waiting in self._expected.get(generation_id, ()):
            if not waiting.done():
                waiting.set_result(generation)

    @contextmanager
    def expecting(self, generation_id: UUID) -> Iterator[asyncio.Future[Generation | None]]:
        """Yield a future that is done when the generation is finished, with the generation if this process knows it."""
        future: asyncio.Future[Generation | None] = asyncio.get_running_loop().create_future()
        self._expected.setdefault(generation_id, set()).add(future)
        try:
            yield future
        finally:
            waiting = self._expected[generation_id]
            waiting.discard(future)
            if not waiting:
                del self._expected[generation_id]
