"""The embedding service on the real servers with the real model: its HTTP, its consumers, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted, GenerationDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted, VoiceReady, VoiceSnapshot
from libs.database import Database
from libs.ids import new_id
from libs.messaging import connect
from libs.messaging.projections import ProjectionRunner
from libs.messaging.topology import projection_durable, projections_by_stream
from libs.messaging.works import WorkRunner
from libs.objectstore import ObjectStore
from libs.web import Caller, IdentityVerifier, create_app
from libs.web.identity import HEADER, sign
from services.embedding.adapters import Gathering, MiniLm, Vectors
from services.embedding.api import PROBLEMS, router
from services.embedding.consumers import CONSUMERS
from services.embedding.domain import EmbeddingError, Index
from services.embedding.usecases import Deps
from services.embedding.usecases.models import look
from tests.support.broker import Broker, provisioned
from tests.support.http import serving as serving_app
from tests.support.outbox import UNSENT, written_events
from tests.support.servers import Servers
from tests.support.uploads import no_upload

KEY = b"e" * 32
EVERYTHING = 10_000_000
Event = TypeVar("Event", bound=Message)


@dataclass(frozen=True)
class Client:
    """Somebody of one organisation."""

    session: aiohttp.ClientSession
    org_id: UUID

    def post(self, body: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        sent = {HEADER: sign(Caller(org_id=self.org_id, key_id=new_id()), "embedding", KEY)}
        return self.session.post("/v1/search", json=body, headers=sent)

    async def call(self, method: str, path: str, body: Any = None, **query: str | int) -> tuple[int, dict[str, Any]]:
        sent = {HEADER: sign(Caller(org_id=self.org_id, key_id=new_id()), "embedding", KEY)}
        async with self.session.request(method, path, json=body, headers=sent, params=query) as response:
            return response.status, await response.json(content_type=None) if response.status != 204 else {}

    async def ask(self, body: Any) -> tuple[int, dict[str, Any]]:
        async with self.post(body) as response:
            return response.status, await response.json(content_type=None)

    async def search(self, query: str, **options: Any) -> list[dict[str, Any]]:
        status, body = await self.ask({"query": query, **options})
        assert status == 200, body
        assert body["next_cursor"] is None
        items: list[dict[str, Any]] = body["items"]
        return items

    async def sources(self, query: str, **options: Any) -> list[str]:
        return [item["source_id"] for item in await self.search(query, **options)]


@dataclass(frozen=True)
class Failing:
    """An embedder that always fails in the same way."""

    error: EmbeddingError
    model_id: str = MiniLm.model_id
    dimensions: int = 384

    async def embed(self, texts: Sequence[str]) -> Vectors:  # noqa: ARG002 - whatever it is asked
        raise self.error

    async def close(self) -> None:
        """Nothing was opened."""


@dataclass(frozen=True)
class Ledger:
    """What the service has written for one organisation."""

    database: Database
    org_id: UUID

    async def events(self, kind: type[Event]) -> list[Event]:
        """The events of one kind that the organisation's transactions have left to send."""
        return await written_events(self.database, kind, org_id=self.org_id)

    async def rows(self, statement: str) -> list[Any]:
        async with self.database.transaction(self.org_id) as session:
            return list(await session.execute(text(statement)))


def completed(org_id: UUID, spoken: str, *, generation_id: str | None = None) -> GenerationCompleted:
    return GenerationCompleted(
        generation_id=generation_id or str(new_id()), org_id=str(org_id), voice_name="Aaron", text=spoken
    )


def deleted(event: GenerationCompleted) -> GenerationDeleted:
    return GenerationDeleted(
        generation_id=event.generation_id, org_id=event.org_id, deleted_at=datetime(2026, 1, 2, tzinfo=UTC)
    )


def ready(
    org_id: UUID | None, description: str, *, voice_id: str | None = None, revision: int = 1, name: str = "Iris"
) -> VoiceReady:
    voice_id, owner = voice_id or str(new_id()), str(org_id or "")
    snapshot = VoiceSnapshot(
        voice_id=voice_id,
        org_id=owner,
        name=name,
        description=description,
        category="CUSTOMER_SERVICE",
        language="en-GB",
        variant="CUSTOM" if org_id else "SYSTEM",
        revision=revision,
    )
    return VoiceReady(voice_id=voice_id, org_id=owner, voice=snapshot)


def silenced(event: VoiceReady) -> VoiceDeleted:
    return VoiceDeleted(voice_id=event.voice_id, org_id=event.org_id, deleted_at=datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="session")
def minilm(model_dir: Path) -> Iterator[MiniLm]:
    """The model, which belongs to no event loop."""
    model = asyncio.run(MiniLm.open(model_dir))
    yield model
    asyncio.run(model.close())


@pytest.fixture
async def database(servers: Servers, migrated: Callable[[str], None]) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrated, "embedding")
    opened = servers.database("embedding", [UNSENT])
    yield opened
    await opened.close()


@pytest.fixture
async def deps(database: Database, objects: ObjectStore, minilm: MiniLm) -> AsyncIterator[Deps]:
    made = Deps(database, Gathering(minilm), lambda: datetime.now(UTC), EVERYTHING, objects, no_upload)
    yield made
    await made.pdf.close()


@pytest.fixture
async def active(deps: Deps) -> Index:
    """The index that is searched."""
    (index,) = [one for one in await look(deps) if one.is_active]
    return index


@pytest.fixture
async def broker(servers: Servers) -> AsyncIterator[Broker]:
    async with provisioned(servers, CONSUMERS) as broker:
        yield broker


@asynccontextmanager
async def consuming(servers: Servers, broker: Broker, deps: Deps) -> AsyncIterator[None]:
    """Run all of the service's consumers."""
    bus = await connect(servers.nats("embedding"), "test")
    works = WorkRunner(bus, deps.database, CONSUMERS, deps)
    await works.start()
    runners = [
        ProjectionRunner(
            broker.bus,
            deps.database,
            stream=stream,
            durable=projection_durable(CONSUMERS.group),
            projections=projections,
        )
        for stream, projections in projections_by_stream(CONSUMERS).items()
    ]
    tasks = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        yield
    finally:
        for runner in runners:
            runner.stop()
        await asyncio.gather(*tasks)
        await works.stop(5)
        await bus.close()


@pytest.fixture
async def consumers(servers: Servers, broker: Broker, deps: Deps) -> AsyncIterator[None]:
    async with consuming(servers, broker, deps):
        yield


@asynccontextmanager
async def serving(deps: Deps) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the application with `deps` on a free port."""

    async def readiness() -> dict[str, bool]:
        return {"started": True}

    app = create_app(
        "embedding",
        router,
        identity=IdentityVerifier("embedding", KEY),
        problems=PROBLEMS,
        readiness=readiness,
        deps=deps,
    )
    async with serving_app(app) as url, aiohttp.ClientSession(url) as session:
        yield session


@pytest.fixture
async def http(deps: Deps) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(deps) as session:
        yield session


@pytest.fixture
def client(http: aiohttp.ClientSession) -> Client:
    """Somebody of an organisation that only this test knows."""
    return Client(http, new_id())


@pytest.fixture
def stranger(http: aiohttp.ClientSession) -> Client:
    """Somebody of another organisation."""
    return Client(http, new_id())


@pytest.fixture
def ledger(database: Database, client: Client) -> Ledger:
    return Ledger(database, client.org_id)
