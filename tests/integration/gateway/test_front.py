"""What browsers may do with the gateway, under which names it answers, and how it does so encrypted."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from services.gateway.adapters.circuit import FAILURES
from services.gateway.api.connections import Connection
from services.gateway.api.encryption import tls_options
from services.gateway.api.exchange import Exchange
from services.gateway.api.front import Front
from services.gateway.domain.headers import RequestHeaders
from services.gateway.domain.hosts import Hosts
from tests.integration.gateway.conftest import BODY_SECONDS, PAGE, PATIENCE_SECONDS, Tenant
from tests.integration.gateway.serving import HOST, Service, answer, free_port, serving
from tests.support.certificates import write_certificate
from tests.support.polling import eventually

SAFE = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}


@pytest.mark.usefixtures("voice_running")
async def test_every_answer_tells_browsers_to_be_careful(client: aiohttp.ClientSession, gateway: str) -> None:
    async with aiohttp.ClientSession(gateway) as nobody:
        for path, session in (("/", nobody), ("/v1/voices", client), ("/v1/voices", nobody), ("/nowhere", nobody)):
            response = await session.get(path)
            assert {name: response.headers.get(name) for name in SAFE} == SAFE, path
            assert "Strict-Transport-Security" not in response.headers
        assert (await nobody.post("/v1/voices", headers={"Host": "evil.example"})).headers["X-Frame-Options"] == "DENY"


async def test_a_page_may_load_only_from_here() -> None:
    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    async def receive() -> dict[str, object]:
        raise AssertionError("nothing is read")

    for given in (
        [(b"content-type", b"text/html")],
        [(b"content-type", b"text/html"), (b"content-security-policy", b"own")],
    ):
        exchange = Exchange("GET", RequestHeaders(), receive, send)
        await exchange.send({"type": "http.response.start", "status": 200, "headers": given})
    policies = [
        [value for name, value in message["headers"] if name == b"content-security-policy"]  # type: ignore[attr-defined]
        for message in sent
    ]
    assert b"frame-ancestors 'none'" in policies[0][0]
    assert policies[1] == [b"own"]


@pytest.mark.usefixtures("voice_running")
async def test_a_name_that_is_not_ours_is_refused(client: aiohttp.ClientSession, voice: Service) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example"):
        response = await client.get("/v1/voices", headers={"Host": host})
        assert (response.status, (await response.json())["code"]) == (421, "misdirected_request")
        assert (await client.get("/readyz", headers={"Host": host})).status == 421
    assert voice.seen == []
    for host in ("x", "localhost:1", "app.localhost", "10.1.2.3:80"):
        assert (await client.get("/v1/voices", headers={"Host": host})).status == 200


@pytest.mark.usefixtures("voice_running")
async def test_pages_of_listed_origins_may_ask(client: aiohttp.ClientSession, gateway: str) -> None:
    wants = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,x-stainless-os"}
    async with aiohttp.ClientSession(gateway) as browser:
        response = await browser.options("/v1/voices", headers={"Origin": PAGE, **wants})
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        assert response.headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert response.headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-os"
        assert "Access-Control-Allow-Credentials" not in response.headers
    for path in ("/v1/voices", "/v1/search"):
        response = await client.get(path, headers={"Origin": PAGE})
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
        assert "RateLimit" in response.headers["Access-Control-Expose-Headers"]
        assert "Origin" in response.headers["Vary"]


@pytest.mark.usefixtures("voice_running")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", PAGE + ".evil.example", "http://app.example.org"])
async def test_other_pages_may_not(client: aiohttp.ClientSession, origin: str) -> None:
    wants = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    response = await client.options("/v1/voices", headers=wants)
    assert response.status == 405
    assert "Access-Control-Allow-Origin" not in response.headers
    response = await client.get("/v1/voices", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_by_default_no_page_may_ask() -> None:
    front = Front(Hosts([]))
    scope = {"headers": [(b"origin", b"https://app.example.org"), (b"access-control-request-method", b"GET")]}
    assert not front.answers_other_sites
    assert front.preflight({**scope, "method": "OPTIONS"}, ["GET"]) is None
    everybody = Front(Hosts([]), origins=["*"]).cross_origin(scope)
    assert (b"access-control-allow-origin", b"*") in everybody
    assert b"access-control-allow-credentials" not in dict(everybody)


async def test_a_service_that_stays_away_is_left_alone(
    client: aiohttp.ClientSession, voice: Service, voice_port: int
) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(client.get("/v1/voices") for _ in range(FAILURES)))
    begun = loop.time()
    response = await client.get("/v1/voices")
    assert (response.status, (await response.json())["code"]) == (503, "service_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert loop.time() - begun < PATIENCE_SECONDS / 2
    # What is somebody else's goes on.
    assert (await client.get("/v1/usage")).status == 503
    async with serving(voice, voice_port):

        async def back() -> bool:
            return (await client.get("/v1/voices")).status == 200

        await eventually(back, within=5, what="the service")
        assert [(await client.get("/v1/voices")).status for _ in range(5)] == [200] * 5


# --- clients that are slow


async def _connect(gateway: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(HOST, int(gateway.rpartition(":")[2]))


@pytest.mark.parametrize("begin", [b"", b"GET /v1/voices HT", b"GET /v1/voices HTTP/1.1\r\nHost: x\r\nX-A:"])
async def test_who_does_not_finish_a_head_is_not_waited_for(gateway: str, begin: bytes) -> None:
    reader, writer = await _connect(gateway)
    writer.write(begin)
    answered = await asyncio.wait_for(reader.read(), 4)
    assert answered.startswith(b"HTTP/1.1 408 ") if begin else answered == b""
    writer.close()


@pytest.mark.usefixtures("voice_running")
async def test_a_body_in_drops_is_not_waited_for(gateway: str, tenant: Tenant, voice: Service) -> None:
    reader, writer = await _connect(gateway)
    head = f"POST /v1/voices HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\nContent-Length: 9999\r\n\r\n"
    writer.write(head.encode())

    async def drip() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    answered = b""
    with suppress(ConnectionResetError):  # who is still sending may lose the answer
        answered = await asyncio.wait_for(reader.read(), 5)
    dripping.cancel()
    assert answered == b"" or answered.startswith(b"HTTP/1.1 408 ")
    assert voice.last.body == b""
    writer.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections that the gateway has looked at, one after the other."""
    looked: list[Connection] = []
    look = Connection.look

    def noted(connection: Connection, now: float) -> None:
        look(connection, now)
        looked.append(connection)

    monkeypatch.setattr(Connection, "look", noted)
    return looked


@pytest.mark.usefixtures("voice_running")
async def test_a_body_is_waited_for_as_long_as_the_gateway_itself_stood_still(
    looks: list[Connection], gateway: str, tenant: Tenant, voice: Service
) -> None:
    async def looked() -> bool:
        return bool(looks)

    reader, writer = await _connect(gateway)
    head = f"POST /v1/voices HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\nContent-Length: 9\r\n\r\n"
    writer.write(head.encode() + b"begun")
    await eventually(partial(_is_asked, voice), within=5, what="the request at the service")
    looks.clear()
    await eventually(looked, what="a look that begins to count the body")
    # Nothing of this process runs meanwhile, as on a machine that does not get to it.
    time.sleep(3 * BODY_SECONDS)  # noqa: ASYNC251
    looks.clear()
    await eventually(looked, what="a look at who has been waited for")
    writer.write(b"done")
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 200 ")
    assert voice.last.body == b"begundone"
    writer.close()


@pytest.mark.usefixtures("voice_running")
async def test_who_does_not_read_an_answer_is_cut_off(gateway: str, tenant: Tenant, voice: Service) -> None:
    ended = asyncio.Event()

    async def flood(_scope: Scope, receive: Receive, send: Send) -> None:
        watcher = asyncio.create_task(_until_gone(receive))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not watcher.done():
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            await asyncio.sleep(0)
        ended.set()

    voice.app = flood
    _, writer = await _connect(gateway)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
    writer.write(f"GET /v1/voices HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.key}\r\n\r\n".encode())
    await asyncio.wait_for(ended.wait(), 10)
    writer.close()


async def _is_asked(service: Service) -> bool:
    return bool(service.seen)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.usefixtures("voice_running")
async def test_slow_but_steady_is_fast_enough(gateway: str, tenant: Tenant, voice: Service) -> None:
    """A stream that is silent for longer than any of these limits goes on: its client waits, and is not slow."""

    async def quiet(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(1.8)
        await answer_end(send)

    voice.app = quiet
    async with aiohttp.ClientSession(gateway, headers=tenant.headers) as session:
        response = await session.get("/v1/voices")
        assert await response.read() == b"end"


async def answer_end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"end"})


# --- encryption


async def test_answers_come_encrypted(tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    port = free_port()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, headers=list(Front(Hosts([]), encrypted=True).headers))

    async with serving(app, port, **tls_options(certificate, key)):
        context = ssl.create_default_context(cafile=str(certificate))
        async with aiohttp.ClientSession() as session:
            response = await session.get(f"https://{HOST}:{port}/", ssl=context)
            assert response.status == 200
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_no_ticket_comes_while_a_client_writes(tmp_path: Path) -> None:
    certificate, key = write_certificate(tmp_path)
    port = free_port()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send)

    async with serving(app, port, **tls_options(certificate, key)):
        context = ssl.create_default_context(cafile=str(certificate))
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        encryption = writer.get_extra_info("ssl_object")
        assert encryption.version() == "TLSv1.3"
        assert not encryption.session.has_ticket
        writer.close()
