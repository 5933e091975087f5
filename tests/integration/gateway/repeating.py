"""What makes things for requests that are repeated, and the replicas to which they are sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import aiohttp
import orjson
from starlette.types import Receive, Scope, Send

from libs.web.once import RESOURCE_HEADER
from services.gateway.usecases.idempotency import Requests
from tests.integration.gateway.serving import Seen, answer, read_body

SECRET = "shown-once-and-kept-nowhere"


@dataclass
class Maker:
    """A service that makes one thing for each id, and does what else the test says."""

    made: dict[str, bytes] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    status: int = 201
    media_type: bytes = b"application/json"
    size: int = 0
    breaks_off: bool = False
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    def __post_init__(self) -> None:
        self.goes_on.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        seen = Seen(scope["method"], scope["path"], scope["query_string"], headers)
        seen.body = await read_body(receive)
        self.seen.append(seen)
        if self.status < 300:
            self.made.setdefault(seen.header(RESOURCE_HEADER) or str(uuid4()), seen.body)
        # Not sooner: what is asked to wait has already made it.
        self.waiting += 1
        await self.goes_on.wait()
        self.waiting -= 1
        if self.breaks_off:
            raise ConnectionResetError
        content = orjson.dumps({"id": seen.header(RESOURCE_HEADER), "secret": SECRET, "more": "x" * self.size})
        told = [(b"content-type", self.media_type), (b"location", b"/v1/made"), (b"x-antiphon-secret", b"1")]
        await answer(send, content, self.status, told)

    def ids(self) -> list[str | None]:
        return [one.header(RESOURCE_HEADER) for one in self.seen]


@dataclass
class Gateways:
    """Two replicas, for one client, and the clock by which both go."""

    urls: list[str]
    requests: list[Requests]
    session: aiohttp.ClientSession
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def post(
        self, key: str | None = None, *, at: int = 0, body: object = "{}", path: str = "/v1/voices", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["Idempotency-Key"] = key
        async with self.session.post(self.urls[at] + path, data=body, headers=named) as response:
            told = {name.lower(): value for name, value in response.headers.items()}
            return response.status, told, await response.read()


def is_replayed(headers: dict[str, str]) -> bool:
    """Say whether an answer is one that was given before."""
    return headers.get("idempotency-replayed") == "true"
