"""News of finished generations, for requests that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCanceled, GenerationCompleted, GenerationFailed
from libs.contracts.registry import event_type
from libs.database import Driver
from libs.ids import parse_id
from libs.messaging import Bus, Signal, heed, signal
from services.generation.domain.requests import Completion, Generation
from services.generation.domain.signals import PROGRESS

TOLD_AT_ONCE = 64
"""Completions that one signal tells of; where more wait for the same audio, they hear of it by their events."""
_FINISHED = "generation.finished"


def note_finished(session: AsyncSession, generation: Generation) -> None:
    """Say that the transaction of `session` finishes a generation."""
    session.info.setdefault(_FINISHED, []).append(generation.id)


async def tell_of_audio(bus: Bus, rendition_id: UUID, completed: Sequence[Generation]) -> None:
    """Signal that a rendition has its audio, and what was completed with it."""
    news = [
        Completion(one.id, one.duration_seconds, one.characters_spoken, one.applied, one.updated_at)
        for one in completed[:TOLD_AT_ONCE]
    ]
    await signal(bus, PROGRESS, str(rendition_id), orjson.dumps(news, default=str))


def _completion(told: dict[str, Any]) -> Completion:  # Any: JSON
    values = {field.name: told[field.name] for field in fields(Completion)}
    values |= {"generation_id": UUID(told["generation_id"]), "at": datetime.fromisoformat(told["at"])}
    return Completion(**values)


class Finishes:
    """Tells waiting requests that their generation is finished, whichever process finished it.

    As a transaction hook it learns of those that this process finished; of the workers' by their signals, and of all by
    the events on their way into the stream. A notice can be lost, so whoever waits also looks for himself now and then.
    """

    def __init__(self, bus: Bus) -> None:
        """Nothing is heard before `start`."""
        self._bus = bus
        self.is_closing = False
        """Whether the process is about to stop: nobody should go on waiting in it."""
        self._expected: dict[UUID, set[asyncio.Future[Completion | None]]] = {}
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        """Begin to listen."""
        for event in (GenerationCompleted, GenerationFailed, GenerationCanceled):
            subject = event_type(event).subject
            self._subscriptions.append(await self._bus.client.subscribe(subject, cb=self._hear))
        self._subscriptions.append(await heed(self._bus, PROGRESS, self._heed))

    def close(self) -> None:
        """Send those who wait away with what is there now: the process is about to stop."""
        self.is_closing = True
        for generation_id in list(self._expected):
            self._tell(generation_id, None)

    async def before_commit(self, _session: AsyncSession, _driver: Driver) -> None:
        """Nothing is finished yet."""

    async def after_commit(self, session: AsyncSession) -> None:
        """Tell those who wait in this process at once, without the way over the broker."""
        for generation_id in session.info.pop(_FINISHED, ()):
            self._tell(generation_id, None)

    async def _hear(self, message: Msg) -> None:
        generation_id = parse_id((message.headers or {}).get("ce-subject", ""))
        if generation_id is not None:
            self._tell(generation_id, None)

    def _heed(self, heard: Signal) -> None:
        if heard.content and self._expected:
            for told in orjson.loads(heard.content):
                completion = _completion(told)
                self._tell(completion.generation_id, completion)

    def _tell(self, generation_id: UUID, completion: Completion | None) -> None:
        for waiting in self._expected.get(generation_id, ()):
            if not waiting.done():
                waiting.set_result(completion)

    @contextmanager
    def expecting(self, generation_id: UUID) -> Iterator[asyncio.Future[Completion | None]]:
        """Yield a future that is done when the generation is finished, with what is new in it where that is known."""
        future: asyncio.Future[Completion | None] = asyncio.get_running_loop().create_future()
        self._expected.setdefault(generation_id, set()).add(future)
        try:
            yield future
        finally:
            waiting = self._expected[generation_id]
            waiting.discard(future)
            if not waiting:
                del self._expected[generation_id]
