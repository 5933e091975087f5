"""The voice service over HTTP, on the real servers, and clients of it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import pytest
from google.protobuf.message import Message

from libs.audio.intake import Intake
from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.database import Database
from libs.ids import new_id
from libs.messaging import connect
from libs.messaging.rpc import RpcServer
from libs.objectstore import ObjectStore
from libs.web import Caller, IdentityVerifier, create_app
from libs.web.identity import HEADER, sign
from services.voice.adapters.aligning import Aligner
from services.voice.adapters.quota import VoiceQuota
from services.voice.api import PROBLEMS, router
from services.voice.domain.uploads import Uploaded
from services.voice.usecases import Deps
from tests.support.http import serving as serving_app
from tests.support.outbox import UNSENT
from tests.support.servers import Servers
from tests.unit.voice.wav import silence

KEY = b"k" * 32
QUIET = silence(10)
"""A file for voices of which no recording is examined."""

Event = TypeVar("Event", bound=Message)


async def no_uploads(_org_id: UUID, _upload_ids: Sequence[UUID]) -> list[Uploaded]:
    """Storage that knows of no upload."""
    return []


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Client:
    """Somebody of one organisation."""

    session: aiohttp.ClientSession
    org_id: UUID

    async def ask(self, method: str, path: str, *, content_type: str | None = None, **options: Any) -> Answer:
        sent = {HEADER: sign(Caller(org_id=self.org_id, key_id=new_id()), "voice", KEY)}
        if content_type:
            sent["Content-Type"] = content_type
        async with self.session.request(method, path, headers=sent, **options) as response:
            is_json = "json" in response.content_type
            body = await response.json(content_type=None) if is_json else await response.read()
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, body)

    async def get(self, path: str, **params: Any) -> Answer:
        return await self.ask("GET", path, params=params)

    async def create(
        self,
        name: str,
        fields: Mapping[str, str] | None = None,
        *,
        files: Sequence[bytes] = (QUIET,),
        part: str = "file",
    ) -> Answer:
        form = aiohttp.FormData({"name": name, **(fields or {})})
        for content in files:
            form.add_field(part, io.BytesIO(content), filename="me.wav", content_type="audio/wav")
        return await self.ask("POST", "/v1/voices", data=form)

    async def created(self, name: str, files: Sequence[bytes] = (QUIET,), **fields: str) -> dict[str, Any]:
        """A new voice, whose recordings nobody has examined yet."""
        answer = await self.create(name, fields, files=files)
        assert answer.status == 201, answer.body
        voice: dict[str, Any] = answer.body
        return voice

    async def voice(self, voice_id: str) -> dict[str, Any]:
        answer = await self.get(f"/v1/voices/{voice_id}")
        assert answer.status == 200, answer.body
        voice: dict[str, Any] = answer.body
        return voice


@pytest.fixture
async def database(servers: Servers, migrated: Callable[[str], None]) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrated, "voice")
    opened = servers.database("voice", [UNSENT])
    yield opened
    await opened.close()


@pytest.fixture
async def intake() -> AsyncIterator[Intake]:
    started = Intake(2)
    yield started
    await started.close()


@dataclass
class Plans:
    """Answers as analytics does; `most` voices may be set aside and made in all."""

    quota: VoiceQuota
    most: int = 1000
    held: set[str] = field(default_factory=set)

    async def answer(self, request: ReserveRequest) -> ReserveReply:
        """Set a voice aside, or give one back."""
        if request.release:
            self.held.discard(request.reservation_id)
            return ReserveReply(granted=True)
        granted = request.reservation_id in self.held or len(self.held) < self.most
        if granted:
            self.held.add(request.reservation_id)
        return ReserveReply(granted=granted, limit=self.most, remaining=self.most - len(self.held), unit=request.unit)


@pytest.fixture
async def plans(servers: Servers) -> AsyncIterator[Plans]:
    ours = await connect(servers.nats("voice"), "test")
    theirs = await connect(servers.nats("analytics"), "test analytics")
    answering = Plans(VoiceQuota(ours))
    server = RpcServer(theirs, "analytics", "reserve", ReserveRequest, answering.answer)
    await server.start()
    await theirs.client.flush()
    yield answering
    await server.stop()
    for bus in (theirs, ours):
        await bus.close()


@pytest.fixture
async def deps(database: Database, objects: ObjectStore, intake: Intake, plans: Plans) -> Deps:
    return Deps(
        database=database,
        objects=objects,
        clock=lambda: datetime.now(UTC),
        examine=intake.examine,
        align=Aligner().align,
        quota=plans.quota,
        find_uploads=no_uploads,
    )


@asynccontextmanager
async def serving(deps: Deps) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the application with `deps` on a free port."""

    async def readiness() -> dict[str, bool]:
        return {"started": True}

    app = create_app(
        "voice", router, identity=IdentityVerifier("voice", KEY), problems=PROBLEMS, readiness=readiness, deps=deps
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
