"""The analytics service's parts on the real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from google.protobuf.message import Message
from opentelemetry.context import Context
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Projection
from libs.messaging.causes import note_cause
from libs.web import Caller, IdentityVerifier, create_app
from libs.web.identity import HEADER, sign
from services.analytics import store
from services.analytics.api import PROBLEMS, router
from services.analytics.domain import Plan
from services.analytics.domain.whose import Whose
from services.analytics.usecases import Deps
from tests.support.http import serving
from tests.support.outbox import UNSENT
from tests.support.servers import Servers

NOW = datetime.now(UTC)
KEY = b"k" * 32


@dataclass(frozen=True)
class Books:
    """The ledger of one organisation."""

    deps: Deps
    org_id: UUID

    @property
    def database(self) -> Database:
        return self.deps.database

    async def apply(self, handler: Projection, *events: Message) -> None:
        """Have a projection apply events, as the runner does."""
        organisations = {UUID(event.org_id) for event in events}  # type: ignore[attr-defined]
        async with self.database.transaction(*organisations) as session:
            for event in events:
                note_cause(session, event, str(new_id()), Context())
            await handler.handler(session, events)

    async def make_partitions(self, today: date, months_ahead: int) -> None:
        """Make the ledger's partitions, as its upkeep does: tests of years to come have dropped those of today."""
        async with self.database.transaction() as session:
            await store.make_partitions(session, today, months_ahead)

    async def value(self, query: str, *org_ids: UUID) -> object:
        """One value, seen by the organisation (or by those given); `:org` is this one."""
        async with self.database.transaction(*(org_ids or (self.org_id,))) as session:
            return (await session.execute(text(query), {"org": self.org_id})).scalar_one_or_none()

    def completed(
        self, *, characters: int = 10, seconds: float = 1.5, at: datetime = NOW, whose: Whose | None = None
    ) -> GenerationCompleted:
        """A generation that nobody is known to have asked for, unless `whose` says so."""
        whose = whose or Whose()
        return GenerationCompleted(
            generation_id=str(new_id()),
            org_id=str(self.org_id),
            text="x" * characters,
            characters=characters,
            duration_seconds=seconds,
            completed_at=at,
            voice_id=str(whose.voice_id or ""),
            key_id=str(whose.key_id or ""),
            user_id=str(whose.user_id or ""),
            format=whose.format or "",
        )


@pytest.fixture
async def books(servers: Servers, migrated: Callable[[str], None]) -> AsyncIterator[Books]:
    database = servers.database("analytics", hooks=[UNSENT])
    objects = servers.object_store()
    deps = Deps(database=database, objects=objects, default_plan=Plan.ENTERPRISE, clock=lambda: datetime.now(UTC))
    yield Books(deps, new_id())
    await objects.close()
    await database.close()


@pytest.fixture(scope="session", autouse=True)
def _schema(migrated: Callable[[str], None]) -> None:
    migrated("analytics")


class Reports:
    """Asks for the use of one organisation."""

    def __init__(self, address: str, org_id: UUID, session: aiohttp.ClientSession) -> None:
        self._address = address
        self._headers = {HEADER: sign(Caller(org_id, new_id()), "analytics", KEY)}
        self._session = session

    async def ask(self, path: str = "", /, **params: Any) -> tuple[int, Any]:  # Any: JSON
        params = {name.rstrip("_"): str(value) for name, value in params.items()}
        async with self._session.get(
            f"{self._address}/v1/usage{path}", params=params, headers=self._headers
        ) as response:
            return response.status, await response.json(content_type=None)

    async def export(self, **params: Any) -> tuple[bytes, Mapping[str, str]]:
        """The ledger as a file, and what the answer said of it."""
        params = {name.rstrip("_"): str(value) for name, value in params.items()}
        url = f"{self._address}/v1/usage/export"
        async with self._session.get(url, params=params, headers=self._headers) as response:
            assert response.status == 200
            return await response.read(), response.headers

    async def usage(self, **params: Any) -> Any:  # Any: JSON
        status, answer = await self.ask(**params)
        assert status == 200, answer
        return answer

    async def items(self, **params: Any) -> list[dict[str, Any]]:
        """All items, page by page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await self.usage(**params, **cursor)
            items += answer["items"]
            if answer["next_cursor"] is None:
                return items
            cursor = {"cursor": answer["next_cursor"]}


@pytest.fixture
async def reports(books: Books) -> AsyncIterator[Reports]:
    async def ready() -> dict[str, bool]:
        return {}

    identity = IdentityVerifier("analytics", KEY)
    app = create_app("analytics", router, identity=identity, problems=PROBLEMS, readiness=ready, deps=books.deps)
    async with serving(app) as address, aiohttp.ClientSession() as session:
        yield Reports(address, books.org_id, session)
