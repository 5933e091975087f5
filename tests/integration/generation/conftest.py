"""The generation service and its speech workers on the real servers, with a real engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from opentelemetry.context import Context
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceReady
from libs.contracts.registry import event_type
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Bus, Projection, connect
from libs.messaging.causes import note_cause
from libs.objectstore import ObjectStore
from libs.outbox import OutboxHook
from libs.speech.engine import SpeechEngine
from libs.speech.espeak import EspeakEngine
from libs.web import Caller
from libs.web.known import Known, telling
from services.generation.adapters import Finishes, Progress, Quota, SystemVoices
from services.generation.consumers import complete_generations, learn_voices
from services.generation.domain import signals
from services.generation.domain.load import Limits
from services.generation.domain.requests import Generation, Request
from services.generation.rendering.bench import Bench
from services.generation.rendering.deps import WorkerDeps
from services.generation.store import generations, models
from services.generation.usecases.admission import Admission
from services.generation.usecases.deps import Deps
from services.generation.usecases.models import Models
from services.generation.usecases.offering import Offers
from services.generation.usecases.requesting import get_generation, request_generation
from tests.integration.generation.stand_ins import PROCESSES, Analytics, Event, Watched
from tests.integration.generation.told import stored, voice_ready
from tests.support.polling import eventually
from tests.support.servers import Servers

FINISHED = ("completed", "failed", "canceled")


async def _no_wake() -> None:
    """No relay runs here: events stay in the outbox, where they are looked at."""


@dataclass(frozen=True)
class World:
    """One organisation and what serves it."""

    database: Database
    objects: ObjectStore
    deps: Deps
    worker: WorkerDeps
    engine: Watched
    analytics: Analytics
    caller: Caller

    @property
    def org_id(self) -> UUID:
        return self.caller.org_id

    def elsewhere(self) -> World:
        """Return the same world as another organisation has it."""
        return replace(self, caller=Caller(org_id=new_id(), key_id=new_id()))

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

    async def rows(self, query: str, **values: object) -> Sequence[Any]:  # Any: rows of any query
        """Return what a query finds among the organisation's rows."""
        async with self.database.transaction(self.org_id) as session:
            return (await session.execute(text(query), values)).all()

    async def change(self, statement: str, **values: object) -> None:
        """Change the organisation's rows."""
        async with self.database.transaction(self.org_id) as session:
            await session.execute(text(statement), values)

    async def voice(self, *, revision: int = 1, voice_id: UUID | None = None, name: str = "Aaron") -> VoiceReady:
        """An event about a custom voice of the organisation."""
        return voice_ready(self.org_id, voice_id or new_id(), revision=revision, name=name)

    async def known_voice(self, *, variant: str | None = None) -> UUID:
        """Return the id of a voice that the service has heard of."""
        ready = voice_ready(self.org_id, new_id(), revision=1, name="Aaron", variant=variant)
        await self.apply(learn_voices, ready)
        return UUID(ready.voice_id)

    # Any: fields of a request.
    async def ask(self, wanted: str = "Hello there.", voice_id: UUID | None = None, **fields: Any) -> Generation:
        """Ask for speech, by a voice of its own unless one is given."""
        request = Request(text=wanted, voice_id=voice_id or await self.known_voice(), **fields)
        return await request_generation(self.deps, self.caller, request, None)

    async def ask_to_hear(self, wanted: str, voice_id: UUID | None = None) -> Generation:
        """Ask for speech that is heard while it is spoken."""
        request = Request(text=wanted, voice_id=voice_id or await self.known_voice())
        return await request_generation(self.deps, self.caller, request, None, is_streamed=True)

    async def get(self, generation_id: UUID) -> Generation:
        return await get_generation(self.deps, self.caller, generation_id)

    async def find(self, generation_id: UUID) -> Generation | None:
        async with self.database.transaction(self.org_id) as session:
            return await generations.get_generation(session, self.org_id, generation_id)

    async def until(self, generation_id: UUID, *statuses: str, within: float = 30.0) -> Generation:
        """Wait until a generation has come to one of these statuses; what is uploaded meanwhile, storage keeps."""
        wanted = statuses or FINISHED

        async def looked() -> Generation | None:
            now = await self.get(generation_id)
            if now.status in wanted:
                return now
            if now.rendition_id is not None:
                await self.keep(now.rendition_id)
            return None

        found = await eventually(looked, within=within, what=f"{generation_id} in {wanted}")
        assert found is not None
        return found

    async def until_rendered(self, rendition_id: UUID, *, within: float = 30.0) -> AudioRendered:
        """Wait until the audio was uploaded."""
        found = await eventually(lambda: self.emitted(AudioRendered, rendition_id), within=within, what="the audio")
        return found[-1]

    async def leave_to_storage(self) -> None:
        """Let what is completed be as workers of an earlier release left it, who waited for storage."""
        await self.change("update renditions set status = 'rendered' where status = 'completed'")
        await self.change(
            "update generations set status = 'pending', duration_seconds = null, characters_spoken = null,"
            " object_key = null where status = 'completed'"
        )

    async def keep(self, rendition_id: UUID) -> None:
        """Be storage: tell that what was uploaded of a rendition can be read."""
        if uploaded := await self.emitted(AudioRendered, rendition_id):
            await self.apply(complete_generations, stored(uploaded[-1]))

    def bench(self, worker: WorkerDeps | None = None, *, slots: int = 4, drain_seconds: float = 5.0) -> Bench:
        """Return a bench that does not run yet."""
        return Bench(worker or self.worker, slots=slots, processes=PROCESSES, time_to_drain=lambda: drain_seconds)

    def working(
        self, worker: WorkerDeps | None = None, *, slots: int = 4, drain_seconds: float = 5.0
    ) -> AbstractAsyncContextManager[asyncio.Task[None]]:
        """Run a bench for a while, and drain it."""
        return running(self.bench(worker, slots=slots, drain_seconds=drain_seconds))

    async def at_work(self, workers: int = 1) -> None:
        """Wait until so many workers have begun to work."""

        async def all_are() -> bool:
            return len(await self.rows("select 1 from speech_workers")) == workers

        await eventually(all_are, what="the workers at work")
        await self.worker.bus.client.flush()

    async def spoken_meanwhile(self, wanted: str, voice_id: UUID) -> Generation:
        """Ask for speech while somebody works, and return it finished."""
        asked = await self.ask(wanted, voice_id)
        return await self.until(asked.id)

    async def spoken(self, wanted: str, voice_id: UUID | None = None, **fields: Any) -> Generation:  # Any: as in `ask`
        """Ask for speech, have it made, and return it finished."""
        asked = await self.ask(wanted, voice_id, **fields)
        if asked.is_finished:
            return asked
        async with self.working():
            return await self.until(asked.id)


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[asyncio.Task[None]]:
    """Have a bench work, until the end or until its task is cancelled; then it has drained."""
    task = asyncio.create_task(bench.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def another_worker(worker: WorkerDeps, engine: SpeechEngine | None = None, **changes: Any) -> WorkerDeps:
    """Return a second worker like `worker`, with an engine of its own if one is given. Any: fields of WorkerDeps."""
    engines = {engine.name: engine} if engine is not None else worker.engines
    return replace(worker, worker_id=new_id(), engines=engines, **changes)


@pytest.fixture(scope="session", autouse=True)
def _schema(migrated: Callable[[str], None]) -> None:
    migrated("generation")


@asynccontextmanager
async def _bus(servers: Servers, user: str) -> AsyncIterator[Bus]:
    bus = await connect(servers.nats(user), f"test {user}")
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
async def engine() -> AsyncIterator[Watched]:
    watched = Watched(EspeakEngine(PROCESSES))
    yield watched
    await watched.close()


@pytest.fixture
async def world(servers: Servers, engine: Watched) -> AsyncIterator[World]:
    """A world whose quota answers, and in whose queue nothing is."""
    objects = servers.object_store()
    async with contextlib.AsyncExitStack() as closing:
        service, worker, analytics = [
            await closing.enter_async_context(_bus(servers, user)) for user in ("generation", "worker", "analytics")
        ]
        finishes = Finishes(service)
        database = servers.database("generation", hooks=[OutboxHook(_no_wake), finishes])
        closing.push_async_callback(objects.close)
        closing.push_async_callback(database.close)
        made = World(
            database=database,
            objects=objects,
            deps=_deps(database, objects, service, finishes),
            worker=WorkerDeps(new_id(), database, objects, worker, {engine.name: engine}, lambda: datetime.now(UTC)),
            engine=engine,
            analytics=Analytics(analytics),
            caller=Caller(org_id=new_id(), key_id=new_id()),
        )
        await finishes.start()
        await made.deps.progress.start()
        await made.deps.offers.start()
        await _tidy(made)
        await closing.enter_async_context(made.analytics.answering())
        yield made


def _deps(database: Database, objects: ObjectStore, bus: Bus, finishes: Finishes) -> Deps:
    return Deps(
        database=database,
        objects=objects,
        bus=bus,
        quota=Quota(bus, patience_seconds=0.5),
        finishes=finishes,
        progress=Progress(bus),
        offers=Offers(bus),
        admission=Admission(database, Limits(interactive_seconds=60, job_seconds=3600)),
        models=Models(database),
        system_voices=SystemVoices(),
        known_audio=Known(telling(bus, signals.DELETED)),
        clock=lambda: datetime.now(UTC),
    )


async def _tidy(world: World) -> None:
    """Leave nothing in the queue, and make the engine known as its workers do."""
    async with world.database.transaction() as session:
        await session.execute(text("delete from speech_queue"))
        await session.execute(text("delete from speech_workers"))
        await models.save_model(
            session,
            world.engine.name,
            version=world.engine.version,
            ready=True,
            description=models.described(world.engine.model),
        )
