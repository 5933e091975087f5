"""What the gateway does when clients, bodies or services are not as they should be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import closing

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from services.gateway.domain.routes import JSON_BYTES, MIB, VOICE_BYTES
from tests.integration.gateway.conftest import ANSWER_SECONDS, Tenant
from tests.integration.gateway.serving import HOST, Service, answer, read_body, serving, until


async def _zeros(size: int) -> AsyncIterator[bytes]:
    while size > 0:
        yield bytes(min(size, MIB))
        size -= MIB


async def _raw(
    gateway: str, tenant: Tenant, head: str, body: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HOST, int(gateway.rpartition(":")[2]))
    lines = [*head.splitlines(), "Host: x", f"Authorization: Bearer {tenant.key}"]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    return reader, writer


# --- bodies


@pytest.mark.usefixtures("voice_running")
async def test_a_body_that_says_that_it_is_too_long_is_not_read(client: aiohttp.ClientSession, voice: Service) -> None:
    length = VOICE_BYTES + 1
    response = await client.post("/v1/voices", data=_zeros(length), headers={"Content-Length": str(length)})
    problem = await response.json()
    assert (response.status, problem["code"], problem["limit_bytes"]) == (413, "body_too_large", VOICE_BYTES)
    assert "21 MiB" in problem["detail"]
    assert voice.seen == []


@pytest.mark.usefixtures("voice_running")
async def test_a_body_that_turns_out_too_long_is_cut_off(client: aiohttp.ClientSession, voice: Service) -> None:
    cut_off = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        with pytest.raises(ConnectionResetError):
            await read_body(receive)
        cut_off.set()

    voice.app = app
    response = await client.post("/v1/voices", data=_zeros(VOICE_BYTES + 1))
    assert (response.status, (await response.json())["code"]) == (413, "body_too_large")
    await asyncio.wait_for(cut_off.wait(), 5)


async def test_json_routes_take_a_mebibyte(client: aiohttp.ClientSession) -> None:
    response = await client.post(
        "/v1/search", data=_zeros(JSON_BYTES + 1), headers={"Content-Length": str(JSON_BYTES + 1)}
    )
    assert (response.status, (await response.json())["limit_bytes"]) == (413, JSON_BYTES)


@pytest.mark.usefixtures("voice_running")
async def test_a_client_may_wait_before_it_sends(gateway: str, tenant: Tenant, voice: Service) -> None:
    reader, writer = await _raw(
        gateway, tenant, "POST /v1/voices HTTP/1.1\nExpect: 100-continue\nContent-Length: 5\nConnection: close"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hello")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    assert voice.last.body == b"hello"
    assert voice.last.header("expect") is None
    writer.close()


async def test_a_client_that_waits_is_told_at_once_that_it_need_not_send(gateway: str, tenant: Tenant) -> None:
    started = time.monotonic()
    reader, writer = await _raw(
        gateway, tenant, f"POST /v1/search HTTP/1.1\nExpect: 100-continue\nContent-Length: {2 * MIB}"
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - started < 1
    writer.close()


@pytest.mark.usefixtures("voice_running")
async def test_a_service_may_answer_before_it_has_read_all(client: aiohttp.ClientSession, voice: Service) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await answer(send, b'{"code": "no"}', 422)

    voice.app = app
    response = await client.post("/v1/voices", data=_zeros(20 * MIB))
    assert (response.status, await response.json()) == (422, {"code": "no"})
    voice.app = None
    assert (await client.get("/v1/voices")).status == 200


@pytest.mark.usefixtures("voice_running")
async def test_a_client_that_stops_sending_is_not_waited_for(gateway: str, tenant: Tenant) -> None:
    reader, writer = await _raw(gateway, tenant, "POST /v1/voices HTTP/1.1\nContent-Length: 10", b"12345")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    writer.close()


# --- clients that go away


@pytest.mark.usefixtures("voice_running")
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_client_that_goes_away_ends_the_services_work(
    gateway: str, tenant: Tenant, voice: Service, method: str, streaming: bool
) -> None:
    working, ended = asyncio.Event(), asyncio.Event()
    body = b"12345" if method == "POST" else b""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        assert await read_body(receive) == body
        if streaming:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
        working.set()
        assert (await receive())["type"] == "http.disconnect"
        ended.set()

    voice.app = app
    _, writer = await _raw(gateway, tenant, f"{method} /v1/voices HTTP/1.1\nContent-Length: {len(body)}", body)
    await asyncio.wait_for(working.wait(), 5)
    writer.close()
    await asyncio.wait_for(ended.wait(), ANSWER_SECONDS / 2)


@pytest.mark.usefixtures("voice_running")
async def test_a_client_that_goes_away_while_sending_ends_the_services_work(
    gateway: str, tenant: Tenant, voice: Service
) -> None:
    working, ended = asyncio.Event(), asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        working.set()
        with pytest.raises(ConnectionResetError):
            await read_body(receive)
        ended.set()

    voice.app = app
    _, writer = await _raw(gateway, tenant, "POST /v1/voices HTTP/1.1\nContent-Length: 1000000", bytes(500))
    await asyncio.wait_for(working.wait(), 5)
    writer.close()
    await asyncio.wait_for(ended.wait(), ANSWER_SECONDS / 2)


# --- services that are away


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_service_that_restarts_is_waited_for(
    client: aiohttp.ClientSession, voice: Service, voice_port: int, method: str
) -> None:
    path = "/v1/voices" if method == "POST" else "/v1/voices/x"
    asked = asyncio.create_task(client.request(method, path, data=b"body" if method == "POST" else None))
    await asyncio.sleep(0)
    async with serving(voice, voice_port):
        response = await asked
        assert (response.status, len(voice.seen)) == (200, 1)
        assert (await response.json())["bytes"] == (4 if method == "POST" else 0)


async def test_a_service_that_stays_away(client: aiohttp.ClientSession) -> None:
    started = time.monotonic()
    response = await client.post("/v1/search", json={"query": "x"})
    problem = await response.json()
    assert (response.status, problem["code"], response.headers["Retry-After"]) == (503, "service_unavailable", "1")
    assert "repeat" in problem["detail"]
    assert time.monotonic() - started < ANSWER_SECONDS


@pytest.mark.parametrize(("method", "status", "asked"), [("GET", 200, 2), ("DELETE", 502, 1), ("POST", 502, 1)])
async def test_only_what_is_harmless_is_asked_twice(
    client: aiohttp.ClientSession, voice_port: int, method: str, status: int, asked: int
) -> None:
    """The service answers once to open a connection, then hangs up in the middle of the next request."""
    requests = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            requests += 1
            if requests == 2:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()

    # To leave the server as a context would be to wait, from Python 3.12 on, for a connection that the gateway keeps.
    with closing(await asyncio.start_server(talk, HOST, voice_port)):
        assert (await client.get("/v1/voices/x")).status == 200
        path = "/v1/voices" if method == "POST" else "/v1/voices/x"
        response = await client.request(method, path)
        assert (response.status, requests) == (status, 1 + asked)
        if status == 502:
            assert (await response.json())["code"] == "service_unavailable"


@pytest.mark.usefixtures("voice_running")
async def test_a_service_that_takes_too_long(client: aiohttp.ClientSession, voice: Service) -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        await receive()

    voice.app = app
    response = await client.get("/v1/voices")
    assert (response.status, (await response.json())["code"]) == (504, "service_timeout")


@pytest.mark.usefixtures("voice_running")
@pytest.mark.parametrize("sized", [True, False])
async def test_an_answer_that_is_cut_off_does_not_look_whole(
    client: aiohttp.ClientSession, voice: Service, sized: bool
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"100")] if sized else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})

    voice.app = app
    response = await client.get("/v1/voices")
    assert response.status == 200
    with pytest.raises(aiohttp.ClientPayloadError):
        await response.read()


async def test_connections_are_kept(client: aiohttp.ClientSession, voice: Service, voice_port: int) -> None:
    ports = set()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        ports.add(scope["client"][1])
        await answer(send)

    voice.app = app
    async with serving(voice, voice_port):
        for _ in range(20):
            assert (await client.get("/v1/voices")).status == 200
    assert len(ports) == 1
    await until(lambda: len(voice.seen) == 20)
