"""Visitors of the operator's sites, each known by a number of things, and all places where one could have been kept."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID, uuid4

import aiohttp
import nats

from libs.service import read_secret
from services.gateway.domain.visitors import Visitors
from tests.chaos.books import SERVICES, database
from tests.support.needles import forms_of_address, forms_of_bytes, forms_of_id, forms_of_text
from tests.support.stack import Stack

ROUTE = "/v1/analytics/events"
PROXY = "127.0.0.1"
"""Where most visitors' requests come from; the gateway is to believe it."""
_AT_ONCE = 40
_TABLES = """
select format('%I.%I', schemaname, tablename) from pg_tables
where schemaname not in ('pg_catalog', 'information_schema') and tablename <> 'analytics_salts'
"""


@dataclass(frozen=True)
class Visitor:
    """Somebody with an address; `is_behind_proxy` unless the address is that of the connection itself."""

    number: int
    address: str
    browser: str
    id: UUID
    email: str
    is_behind_proxy: bool

    @property
    def claimed_address(self) -> str:
        """What who comes by itself says, and nobody believes."""
        return str(IPv4Address("198.18.0.0") + self.number)

    @property
    def headers(self) -> dict[str, str]:
        """All that a browser, or a page in it, may say of whoever uses it."""
        return {
            "User-Agent": self.browser,
            "X-Forwarded-For": self.address if self.is_behind_proxy else self.claimed_address,
            "Cookie": f"visitor={self.id}",
            "Referer": f"https://site.example/?visitor={self.id}",
            "X-Visitor-Id": str(self.id),
            "X-Request-Id": str(self.id),
            "Idempotency-Key": str(self.id),
            "traceparent": f"00-{self.id.hex}-{self.id.hex[:16]}-01",
            "tracestate": f"site={self.id.hex}",
            "baggage": f"mail={self.email}",
        }

    def needles(self, tokens: Visitors) -> Iterator[tuple[str, Iterable[bytes]]]:
        """What must stand nowhere, by a name that says what it is."""
        yield f"the address of {self.number}", forms_of_address(self.address)
        yield f"the claimed address of {self.number}", forms_of_address(self.claimed_address)
        yield f"the browser of {self.number}", forms_of_text(self.browser)
        yield f"the id of {self.number}", forms_of_id(self.id)
        yield f"the e-mail address of {self.number}", forms_of_text(self.email)
        token = tokens.token(self.address, self.browser, datetime.now(UTC).date())
        yield f"the gateway's token of {self.number}", forms_of_bytes(token)


def new_visitors(count: int) -> list[Visitor]:
    """Make visitors: of IPv4 and IPv6 behind a proxy, and some who come by themselves, from a loopback address."""
    network = random.getrandbits(16)
    return [_visitor(number, network) for number in range(count)]


def _visitor(number: int, network: int) -> Visitor:
    made = uuid4()
    is_behind_proxy = number % 20 != 0
    if not is_behind_proxy:
        address = str(IPv4Address("127.77.0.10") + number)
    elif number % 3:
        address = str(IPv4Address("198.18.0.0") + number)
    else:
        address = str(IPv6Address((0x20010DB8 << 96) | (network << 80) | ((number + 1) << 64) | 0x7B3D))
    # Two share a browser: the address alone tells them apart.
    browser = f"Rohrdommel/{number // 2}.{network} (Schilf)"
    return Visitor(number, address, browser, made, f"{made.hex[:10]}@rohrdommel.example", is_behind_proxy)


def tokens_of(stack: Stack) -> Visitors:
    """What the gateway makes of visitors."""
    return Visitors(bytes.fromhex(read_secret(stack.home / "secrets" / "identity" / "analytics")))


class Site:
    """A page whose visitors' browsers tell what they do."""

    def __init__(self, stack: Stack, key: str) -> None:
        """`key` is the page's own."""
        self._url = stack.url
        self._key = key
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def tell(self, visitors: Sequence[Visitor], event: str) -> None:
        """Let each of them do something, and some do it wrong before."""
        async with aiohttp.ClientSession(self._url, connector=aiohttp.TCPConnector(limit=_AT_ONCE)) as session:
            await asyncio.gather(*(self._visit(session, one, event) for one in visitors))

    async def _visit(self, proxy: aiohttp.ClientSession, visitor: Visitor, event: str) -> None:
        async with self._turns, AsyncExitStack() as open_ones:
            session = proxy
            if not visitor.is_behind_proxy:
                connector = aiohttp.TCPConnector(local_addr=(visitor.address, 0))
                session = await open_ones.enter_async_context(aiohttp.ClientSession(self._url, connector=connector))
            told = {"events": [{"name": event}]}
            if visitor.number % 10 == 1:
                wrong = {"events": [{"name": event, "properties": {"mail": visitor.email, "id": str(visitor.id)}}]}
                await self._post(session, visitor, json.dumps(wrong), HTTPStatus.UNPROCESSABLE_ENTITY)
                await self._post(session, visitor, f'{{"mail": "{visitor.email}', HTTPStatus.UNPROCESSABLE_ENTITY)
                await self._post(session, visitor, json.dumps(told), HTTPStatus.UNAUTHORIZED, key=visitor.email)
                await self._post(session, visitor, json.dumps(told), HTTPStatus.NO_CONTENT, DNT="1")
            await self._post(session, visitor, json.dumps(told), HTTPStatus.NO_CONTENT)

    async def _post(
        self,
        session: aiohttp.ClientSession,
        visitor: Visitor,
        body: str,
        expected: HTTPStatus,
        key: str | None = None,
        **headers: str,
    ) -> None:
        sent = visitor.headers | {"Authorization": f"Bearer {key or self._key}", "Content-Type": "application/json"}
        path = f"{ROUTE}?visitor={visitor.id}"
        async with session.post(path, data=body, headers=sent | headers) as answer:
            assert answer.status == expected, (answer.status, await answer.text())


async def rows_of(stack: Stack) -> bytes:
    """All rows of all tables of all services, but for the salt, as text."""
    rows = io.BytesIO()
    for service in SERVICES:
        async with database(stack, service) as connection:
            for (table,) in await connection.fetch(_TABLES):
                rows.write(f"\n{service} {table}\n".encode())
                await connection.copy_from_query(f"select row::text from {table} row", output=rows)  # noqa: S608
    return rows.getvalue()


async def messages_of(stack: Stack) -> bytes:
    """All messages of all streams with their headers, as they are when nobody has compressed them."""
    client = await nats.connect(stack.exports()["ANTIPHON_NATS_URL"], inbox_prefix=b"_INBOX_provisioner")
    messages = io.BytesIO()
    try:
        jetstream = client.jetstream()
        for stream in await jetstream.streams_info():
            name = str(stream.config.name)
            subscription = await jetstream.subscribe("", stream=name, ordered_consumer=True)
            for _ in range(stream.state.messages):
                message = await subscription.next_msg(timeout=10)
                messages.write(f"\n{message.subject} {message.headers}\n".encode())
                messages.write(message.data)
            await subscription.unsubscribe()
    finally:
        await client.close()
    return messages.getvalue()


@dataclass(frozen=True)
class Salt:
    """The salt of the day, and the file in which its table lies."""

    content: bytes
    file: str


async def salt_of(stack: Stack) -> Salt:
    """Return today's salt, which nobody but the database's administrator can read."""
    async with database(stack, "analytics") as connection:
        row = await connection.fetchrow("select salt, pg_relation_filepath('analytics_salts') from analytics_salts")
        assert row is not None
        return Salt(*row)
