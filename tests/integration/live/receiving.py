"""Somebody whom webhooks are sent to, who looks at them as the specification says."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
from starlette.types import Receive, Scope, Send

from tests.integration.gateway.conftest import Tenant
from tests.integration.gateway.serving import answer, read_body, serving
from tests.integration.live.conftest import Replica
from tests.support.polling import eventually

TOLERANCE_SECONDS = 300


@dataclass(frozen=True)
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = orjson.loads(self.body)
        return told

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_by(self, secret: str) -> bool:
        """Verify as a receiver does (https://www.standardwebhooks.com, "Verifying webhook authenticity")."""
        timestamp = self.headers["webhook-timestamp"]
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{timestamp}.".encode() + self.body
        expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        given = [one.partition(",") for one in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(value, expected) for version, _, value in given)

    @property
    def is_fresh(self) -> bool:
        return abs(time.time() - int(self.headers["webhook-timestamp"])) < TOLERANCE_SECONDS


@dataclass
class Receiver:
    """Keeps what it is told, and answers with the statuses it was given, then 204; 0 is no answer at all."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    always: int = 204

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.received.append(Received(headers, await read_body(receive)))
        status = self.statuses.pop(0) if self.statuses else self.always
        if status == 0:
            await asyncio.sleep(60)
        await answer(send, b"", status, self.headers)

    async def until(self, count: int, seconds: float = 10.0) -> list[Received]:
        """Wait until so many requests came, and return them."""

        async def are_there() -> bool:
            return len(self.received) >= count

        await eventually(are_there, within=seconds, what=f"request {count}")
        return self.received[:count]


@contextlib.asynccontextmanager
async def receiving(*statuses: int, always: int = 204) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver(statuses=list(statuses), always=always)
    async with serving(receiver) as url:
        receiver.url = f"{url}/hook"
        yield receiver


@dataclass
class Clock:
    """The real time, and what is added to it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Owner:
    """Somebody who has webhooks."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def ask(self, method: str, path: str, status: int = 200, **options: Any) -> Any:  # Any: JSON
        async with self.session.request(method, f"/v1/webhooks{path}", **options) as response:
            body = await response.read()
            assert response.status == status, (method, path, response.status, body)
            return orjson.loads(body) if body else None

    async def add(self, url: str, *events: str) -> Any:  # Any: JSON
        return await self.ask("POST", "", 201, json={"url": url, "events": list(events)})

    async def deliveries(self, webhook_id: str, **query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.ask("GET", f"/{webhook_id}/deliveries", params=query))["items"]
        return items

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
        await eventually(condition, within=seconds)

    async def until_settled(self, webhook_id: str, attempts: int) -> dict[str, Any]:
        """Wait until the newest delivery was tried so often, and return it."""
        found: list[dict[str, Any]] = []

        async def tried() -> bool:
            found[:] = await self.deliveries(webhook_id)
            return bool(found) and len(found[0]["attempts"]) >= attempts

        await self.until(tried)
        return found[0]


@contextlib.asynccontextmanager
async def owner_of(replica: Replica, tenant: Tenant) -> AsyncIterator[Owner]:
    async with aiohttp.ClientSession(replica.url, headers=tenant.headers) as session:
        yield Owner(session)
