"""The generation service's parts on the real database and object store, with a real engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import pytest
from google.protobuf.message import Message
from opentelemetry.context import Context
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationRequested
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceReady, VoiceSnapshot
from libs.contracts.registry import event_type
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Projection
from libs.messaging.causes import note_cause
from libs.objectstore import ObjectStore
from libs.outbox import OutboxHook
from libs.speech.espeak import EspeakEngine
from libs.web import Caller
from services.generation import store
from services.generation.domain import Request
from services.generation.rendering import WorkerDeps
from tests.support.servers import Servers

Event = TypeVar("Event", bound=Message)


async def _no_wake() -> None:
    """No relay runs here: events stay in the outbox, where they are looked at."""


@dataclass(frozen=True)
class World:
    """One organisation and what serves it."""

    database: Database
    objects: ObjectStore
    worker: WorkerDeps
    caller: Caller

    @property
    def org_id(self) -> UUID:
        return self.caller.org_id

    async def apply(self, handler: Projection, *events: Message) -> None:
        """Have a projection apply events, as the runner does."""
        organisations = {UUID(org) for event in events if (org := event.org_id)}  # type: ignore[attr-defined]
        async with self.database.transaction(*organisations) as session:
            for event in events:
                note_cause(session, event, str(new_id()), Context())
            await handler.handler(session, events)

    async def emitted(self, kind: type[Event], aggregate: UUID) -> list[Event]:
        """Events of one type about one aggregate that wait in the outbox."""
        async with self.database.transaction() as session:
            rows = await session.execute(
                text("select payload from outbox where type_name = :name and aggregate = :aggregate order by seq"),
                {"name": event_type(kind).name, "aggregate": str(aggregate)},
            )
            return [kind.FromString(row.payload) for row in rows]

    async def voice(self, *, revision: int = 1, voice_id: UUID | None = None, name: str = "Aaron") -> VoiceReady:
        """An event about a custom voice of the organisation."""
        return voice_ready(self.org_id, voice_id or new_id(), revision=revision, name=name)

    async def requested(self, text_: str = "Hello there.", **changes: object) -> GenerationRequested:
        """A generation in the database, and the event that asks for it."""
        ready = await self.voice()
        from services.generation import usecases
        from services.generation.consumers import learn_voices

        await self.apply(learn_voices, ready)
        request = Request(text_, UUID(ready.voice_id), 0.8, 0.95, 1000, 1.2, 1.0, "mp3")
        now = datetime.now(UTC)
        async with self.database.transaction(self.org_id) as session:
            voice = await store.get_voice(session, request.voice_id)
            assert voice is not None
            generation = await store.insert_generation(
                session,
                generation_id=new_id(),
                org_id=self.org_id,
                request=request,
                voice=voice,
                idempotency_key=None,
                now=now,
            )
        event = usecases.requested_event(generation, voice, now)
        for name, value in changes.items():
            setattr(event, name, value)
        return event


def voice_ready(org_id: UUID, voice_id: UUID, *, revision: int, name: str) -> VoiceReady:
    snapshot = VoiceSnapshot(
        voice_id=str(voice_id),
        org_id=str(org_id),
        name=name,
        category="GENERAL",
        language="en-US",
        variant="CUSTOM",
        engine="espeak-ng",
        engine_settings='{"engine_voice": "en-us", "language": "en-US"}',
        revision=revision,
    )
    return VoiceReady(voice_id=str(voice_id), org_id=str(org_id), voice=snapshot, ready_at=datetime.now(UTC))


@pytest.fixture
async def world(servers: Servers, migrated: Callable[[str], None]) -> AsyncIterator[World]:
    database = servers.database("generation", hooks=[OutboxHook(_no_wake)])
    objects = servers.object_store()
    engine = EspeakEngine(1)
    await engine.start()
    worker = WorkerDeps(database=database, objects=objects, engine=engine, clock=lambda: datetime.now(UTC))
    yield World(database, objects, worker, Caller(org_id=new_id(), key_id=new_id()))
    await engine.close()
    await objects.close()
    await database.close()


@pytest.fixture(scope="session", autouse=True)
def _schema(migrated: Callable[[str], None]) -> None:
    migrated("generation")
