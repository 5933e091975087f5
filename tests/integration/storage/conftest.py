"""The storage service on the real servers: its HTTP, its consumers, and audio to give them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import orjson
import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import Alignment, AudioRendered, GenerationDeleted
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Consumers, Delivery, connect
from libs.messaging.works import WorkRunner
from libs.objectstore import ByteCache, ObjectStore, ObjectStoreAddress, PublicSigner
from libs.web import Caller, IdentityVerifier
from libs.web.identity import HEADER, sign
from libs.web.known import Known
from services.storage import usecases
from services.storage.adapters.probing import Prober
from services.storage.api import create_storage_app
from services.storage.consumers import CONSUMERS
from services.storage.usecases import Deps
from tests.support.broker import Broker, provisioned
from tests.support.http import serving as serving_app
from tests.support.outbox import UNSENT, written_events
from tests.support.servers import Servers

KEY = b"s" * 32
Event = TypeVar("Event", bound=Message)


async def _tell_nobody(_gone: str) -> None:
    """One process runs in these tests."""


async def shares_nothing(_org_id: UUID, _generation_id: UUID) -> UUID | None:
    """No generation has the audio of another."""
    return None


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Client:
    """Somebody of one organisation."""

    session: aiohttp.ClientSession
    org_id: UUID

    def identity(self) -> dict[str, str]:
        return {HEADER: sign(Caller(org_id=self.org_id, key_id=new_id()), "storage", KEY)}

    async def ask(self, method: str, path: str, **headers: str) -> Answer:
        sent = self.identity() | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, path, headers=sent) as response:
            received = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, received, await response.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)


@dataclass(frozen=True)
class Studio:
    """Makes audio as a worker would, for one organisation."""

    objects: ObjectStore
    org_id: UUID

    def announce(self, content: bytes, *, spoken: str = "Hi!", generation_id: str | None = None) -> AudioRendered:
        """What a worker says of `content`; nothing is uploaded."""
        generation = generation_id or str(new_id())
        digest = hashlib.sha256(content).hexdigest()
        count = len(spoken)
        return AudioRendered(
            generation_id=generation,
            org_id=str(self.org_id),
            object_key=f"generations/orgs/{self.org_id}/{generation}/{digest[:16]}.mp3",
            content_type="audio/mpeg",
            format="mp3",
            size_bytes=len(content),
            sha256=digest,
            duration_seconds=count * 0.1,
            sample_rate=22050,
            text=spoken,
            alignment=Alignment(
                start_times=[number * 0.1 for number in range(count)],
                end_times=[min(number + 1, count) * 0.1 for number in range(count)],
            ),
            model_id="espeak",
            rendered_at=datetime.now(UTC),
        )

    async def upload(
        self, content: bytes = b"audio", *, spoken: str = "Hi!", generation_id: str | None = None
    ) -> AudioRendered:
        event = self.announce(content, spoken=spoken, generation_id=generation_id)
        await self.objects.put(event.object_key, content, event.content_type)
        return event

    async def upload_long(self, content: bytes = b"audio", *, spoken: str = "Hi!", **changes: Any) -> AudioRendered:
        """As of a text that is too long for an event: text and alignment lie beside the audio.

        `changes` are to the object (Any: JSON).
        """
        event = await self.upload(content, spoken=spoken)
        document = {
            "text": spoken,
            "start_times": list(event.alignment.start_times),
            "end_times": list(event.alignment.end_times),
            "normalized": None,
            "language": "en-US",
            "input_type": "text",
        }
        event.ClearField("text")
        event.ClearField("alignment")
        event.alignment_key = f"generations/orgs/{self.org_id}/{event.generation_id}/{new_id()}.json"
        await self.objects.put(event.alignment_key, orjson.dumps(document | changes), "application/json")
        return event

    def deletion(
        self, rendered: AudioRendered, keys: list[str] | None = None, *, audio_id: str | None = None
    ) -> GenerationDeleted:
        return GenerationDeleted(
            audio_id=audio_id,
            generation_id=rendered.generation_id,
            org_id=rendered.org_id,
            object_keys=[rendered.object_key] if keys is None else keys,
            deleted_at=datetime.now(UTC),
        )


def delivery(event: Event) -> Delivery[Event]:
    return Delivery(event, str(new_id()), 1)


@dataclass(frozen=True)
class Ledger:
    """What the service has written."""

    database: Database
    org_id: UUID

    async def events(self, kind: type[Event]) -> list[Event]:
        """The events of one kind that the organisation's transactions have left to send."""
        return await written_events(self.database, kind, org_id=self.org_id)

    async def count(self, table: str) -> int:
        async with self.database.transaction(self.org_id) as session:
            return int((await session.execute(text(f"select count(*) from {table}"))).scalar_one())  # noqa: S608


@pytest.fixture
async def database(servers: Servers, migrated: Callable[[str], None]) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrated, "storage")
    opened = servers.database("storage", [UNSENT])
    yield opened
    await opened.close()


@pytest.fixture
async def unreachable() -> AsyncIterator[ObjectStore]:
    """An object store that is away: nothing listens there."""
    store = ObjectStore(ObjectStoreAddress("http://127.0.0.1:1", "us-east-1", "antiphon", "key", "secret"))
    yield store
    await store.close()


@pytest.fixture
def deps(servers: Servers, database: Database, objects: ObjectStore) -> Deps:
    def clock() -> datetime:
        return datetime.now(UTC)

    return Deps(
        database=database,
        objects=objects,
        signer=PublicSigner(servers.object_store_address, None, clock),
        small=ByteCache(most_bytes=2**20, ttl_seconds=60),
        known=Known(_tell_nobody),
        parts=objects.uploads,
        prober=Prober(objects),
        clock=clock,
        find_audio=shares_nothing,
    )


@pytest.fixture
def studio(objects: ObjectStore) -> Studio:
    """Audio of an organisation that only this test knows."""
    return Studio(objects, new_id())


@pytest.fixture
def ledger(database: Database, studio: Studio) -> Ledger:
    return Ledger(database, studio.org_id)


@pytest.fixture
async def broker(servers: Servers) -> AsyncIterator[Broker]:
    async with provisioned(servers, CONSUMERS) as broker:
        yield broker


@asynccontextmanager
async def consuming(servers: Servers, deps: Deps, consumers: Consumers = CONSUMERS) -> AsyncIterator[None]:
    """Run the service's consumers."""
    bus = await connect(servers.nats("storage"), "test")
    runner = WorkRunner(bus, deps.database, consumers, deps)
    await runner.start()
    try:
        yield
    finally:
        await runner.stop(5)
        await bus.close()


def impatient(consumers: Consumers) -> Consumers:
    """The same jobs with the same number of tries, in milliseconds instead of minutes."""
    hasty = [
        replace(one, policy=replace(one.policy, delays=(0.02,) * len(one.policy.delays))) for one in consumers.works
    ]
    return replace(consumers, works=tuple(hasty))


@asynccontextmanager
async def serving(deps: Deps) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the application with `deps` on a free port."""

    async def readiness() -> dict[str, bool]:
        return {"started": True}

    app = create_storage_app(deps, IdentityVerifier("storage", KEY), readiness)
    async with serving_app(app) as url, aiohttp.ClientSession(url) as session:
        yield session


@pytest.fixture
async def http(deps: Deps) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(deps) as session:
        yield session


@pytest.fixture
def client(http: aiohttp.ClientSession, studio: Studio) -> Client:
    """Somebody of the organisation whose audio is made."""
    return Client(http, studio.org_id)


@pytest.fixture
async def outside() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who has no key of the object store."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def stranger(http: aiohttp.ClientSession) -> Client:
    """Somebody of another organisation."""
    return Client(http, new_id())


async def kept(deps: Deps, studio: Studio, content: bytes, *, spoken: str = "Hi!") -> AudioRendered:
    """Audio that storage has verified and written."""
    event = await studio.upload(content, spoken=spoken)
    await usecases.keep_audio(deps, delivery(event))
    return event
