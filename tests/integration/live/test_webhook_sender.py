"""What webhooks lead to is looked at by whoever connects: names that lie, and answers that do not end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from itertools import cycle

import pytest

from services.gateway.adapters.webhook_sender import WebhookSender
from services.gateway.domain.addresses import Allowed
from services.gateway.domain.webhooks import ErrorKind

# 127.0.0.2 stands for the Internet here, 127.0.0.1 for what is around the gateway.
OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
ALLOWED = Allowed.of([OUTSIDE])


class Counting:
    """Servers on one port of both addresses, that count who comes and send what they were given."""

    def __init__(self) -> None:
        self.came = {OUTSIDE: 0, INSIDE: 0}
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        self.goes_on = False
        self.port = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came[writer.get_extra_info("sockname")[0]] += 1
        with contextlib.suppress(ConnectionError):
            await reader.read(10)
            writer.write(self.answer)
            while self.goes_on:
                writer.write(b"x" * 65536)
                await writer.drain()
            await writer.drain()
        writer.close()


@pytest.fixture
async def servers_of_both() -> AsyncIterator[Counting]:
    counting = Counting()
    async with contextlib.AsyncExitStack() as stack:
        for address in (INSIDE, OUTSIDE):
            server = await asyncio.start_server(counting.take, address, counting.port)
            counting.port = server.sockets[0].getsockname()[1]
            stack.push_async_callback(server.wait_closed)
            stack.callback(server.close)
        yield counting


@contextlib.asynccontextmanager
async def sending(allowed: Allowed, answers: Iterator[list[str]]) -> AsyncIterator[WebhookSender]:
    sender = WebhookSender(allowed, lambda _host, _port: next(answers), total_seconds=2.0)
    yield sender
    await sender.close()


async def test_a_name_that_leads_inside_is_refused(servers_of_both: Counting) -> None:
    async with sending(ALLOWED, cycle([[INSIDE], [OUTSIDE, INSIDE], ["::1"], ["::ffff:127.0.0.1"]])) as sender:
        for _ in range(4):
            outcome = await sender.post(f"https://hook.example:{servers_of_both.port}/", b"{}", {})
            assert outcome.error is ErrorKind.ADDRESS_REFUSED
    assert servers_of_both.came == {OUTSIDE: 0, INSIDE: 0}


async def test_a_name_that_changes_its_answer_leads_nowhere_else(servers_of_both: Counting) -> None:
    async with sending(ALLOWED, cycle([[OUTSIDE], [INSIDE]])) as sender:
        outcomes = [await sender.post(f"https://hook.example:{servers_of_both.port}/", b"{}", {}) for _ in range(6)]
    # It is asked once for each delivery, and the connection is made to what it said then; there is no TLS there.
    assert [outcome.error for outcome in outcomes] == [ErrorKind.TLS, ErrorKind.ADDRESS_REFUSED] * 3
    assert servers_of_both.came == {OUTSIDE: 3, INSIDE: 0}


@pytest.mark.parametrize("host", [INSIDE, "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost"])
async def test_an_address_in_whatever_form_is_refused(servers_of_both: Counting, host: str) -> None:
    sender = WebhookSender(ALLOWED, total_seconds=2.0)
    outcome = await sender.post(f"https://{host}:{servers_of_both.port}/", b"{}", {})
    await sender.close()
    assert outcome.error is ErrorKind.ADDRESS_REFUSED
    assert servers_of_both.came == {OUTSIDE: 0, INSIDE: 0}


async def test_hosts_that_are_named_are_reached_wherever_they_are(servers_of_both: Counting) -> None:
    async with sending(Allowed.of(["hook.internal"]), cycle([[INSIDE]])) as sender:
        outcome = await sender.post(f"http://hook.internal:{servers_of_both.port}/", b"{}", {})
        assert (outcome.status_code, outcome.error) == (200, None)
        outcome = await sender.post(f"http://other.internal:{servers_of_both.port}/", b"{}", {})
        assert outcome.error is ErrorKind.ADDRESS_REFUSED
    assert servers_of_both.came == {OUTSIDE: 0, INSIDE: 1}


async def test_proxies_of_the_environment_are_not_used(
    servers_of_both: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{INSIDE}:{servers_of_both.port}")
    async with sending(ALLOWED, cycle([[OUTSIDE]])) as sender:
        await sender.post(f"http://{OUTSIDE}:{servers_of_both.port}/", b"{}", {})
    assert servers_of_both.came == {OUTSIDE: 1, INSIDE: 0}


@pytest.mark.parametrize(
    ("answer", "goes_on", "error"),
    [
        (b"", False, ErrorKind.INVALID_ANSWER),
        (b"SSH-2.0-server\r\n", False, ErrorKind.INVALID_ANSWER),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n", True, None),
        (b"HTTP/1.1 200 OK\r\nx: ", True, ErrorKind.INVALID_ANSWER),
    ],
)
async def test_an_answer_is_bounded(
    servers_of_both: Counting, answer: bytes, goes_on: bool, error: ErrorKind | None
) -> None:
    servers_of_both.answer, servers_of_both.goes_on = answer, goes_on
    async with sending(ALLOWED, cycle([[OUTSIDE]])) as sender:
        outcome = await sender.post(f"http://{OUTSIDE}:{servers_of_both.port}/", b"{}", {})
    assert outcome.error is error


async def test_nobody_there_is_told_apart() -> None:
    with socket.socket() as unused:
        unused.bind((OUTSIDE, 0))
        port = unused.getsockname()[1]
        async with sending(ALLOWED, cycle([[OUTSIDE]])) as sender:
            outcome = await sender.post(f"http://{OUTSIDE}:{port}/", b"{}", {})
    assert outcome.error is ErrorKind.UNREACHABLE
