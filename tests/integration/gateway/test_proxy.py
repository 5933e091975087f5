"""What passes through the gateway, and how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send
from yarl import URL

from libs.ids import parse_id
from libs.web.identity import HEADER as IDENTITY_HEADER
from libs.web.identity import Unauthenticated, verify
from services.gateway.domain.routes import MIB
from tests.integration.gateway.conftest import IDENTITY_KEYS, Tenant
from tests.integration.gateway.serving import Service, answer, until_still

pytestmark = pytest.mark.usefixtures("voice_running")


async def test_a_request_reaches_the_service_that_owns_it(client: aiohttp.ClientSession, voice: Service) -> None:
    response = await client.get("/v1/voices?category=GENERAL&query=%D0%B3%2B+x", headers={"Accept-Language": "ru"})
    assert response.status == 200
    assert await response.json() == {"path": "/v1/voices", "bytes": 0}
    assert (voice.last.method, voice.last.path) == ("GET", "/v1/voices")
    assert voice.last.query == b"category=GENERAL&query=%D0%B3%2B+x"
    assert voice.last.header("accept-language") == "ru"
    assert voice.last.header("content-length") is None
    assert voice.last.header("transfer-encoding") is None


async def test_the_service_learns_who_asks(client: aiohttp.ClientSession, voice: Service, tenant: Tenant) -> None:
    await client.get("/v1/voices", headers={IDENTITY_HEADER: "forged", "X-Antiphon-Org": "forged"})
    token = voice.last.header(IDENTITY_HEADER)
    assert token is not None
    caller = verify(token, "voice", IDENTITY_KEYS["voice"])
    assert (caller.org_id, caller.key_id) == (tenant.org_id, tenant.key_id)
    assert voice.last.header("x-antiphon-org") is None
    with pytest.raises(Unauthenticated):
        verify(token, "storage", IDENTITY_KEYS["storage"])


async def test_the_key_and_the_clients_claims_end_at_the_gateway(client: aiohttp.ClientSession, voice: Service) -> None:
    sent = {"Cookie": "a=b", "X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1", "TE": "trailers"}
    await client.get("/v1/voices", headers=sent | {"Connection": "x-mine, keep-alive", "X-Mine": "1"})
    passed = {name for name, _ in voice.last.headers}
    assert passed & {"authorization", "cookie", "x-forwarded-for", "forwarded", "te", "x-mine"} == set()


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


@pytest.mark.parametrize("sized", [True, False])
async def test_a_body_passes_unchanged(client: aiohttp.ClientSession, voice: Service, sized: bool) -> None:
    content = bytes(range(256)) * (20 * MIB // 256)
    headers = {"Content-Length": str(len(content))} if sized else {}
    response = await client.post("/v1/voices", data=_pieces(content), headers=headers)
    assert response.status == 200
    assert voice.last.body == content
    assert voice.last.header("content-length") == (str(len(content)) if sized else None)
    assert voice.last.header("transfer-encoding") == (None if sized else "chunked")


async def test_a_post_without_a_body_has_none(client: aiohttp.ClientSession, voice: Service) -> None:
    response = await client.post("/v1/voices")
    assert response.status == 200
    assert (voice.last.body, voice.last.header("content-length")) == (b"", "0")


async def test_an_answer_passes_unchanged_but_for_internal_headers(
    client: aiohttp.ClientSession, voice: Service
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"etag", b'"1"'), (b"x-antiphon-secret", b"1"), (b"connection", b"x-hop"), (b"x-hop", b"1")]
        headers += [(b"vary", b"a"), (b"vary", b"b"), (b"content-encoding", b"gzip"), (b"x-name", "Zoë".encode())]
        await answer(send, b"\x1f\x8bnot really", 418, headers)

    voice.app = app
    response = await client.get("/v1/voices", headers={"X-Name": "Zoë"})
    assert response.status == 418
    assert await response.read() == b"\x1f\x8bnot really"
    assert response.headers.getall("Vary") == ["a", "b"]
    assert response.headers["ETag"] == '"1"'
    assert response.headers["X-Name"] == "Zoë"
    assert {"x-antiphon-secret", "x-hop"} & {name.lower() for name in response.headers} == set()
    assert voice.last.header("x-name") == "Zoë".encode().decode("latin-1")


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, b"5"), (200, b"0")])
async def test_answers_without_a_body_end(
    client: aiohttp.ClientSession, voice: Service, status: int, length: bytes | None
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", length)] if length == b"0" else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    voice.app = app
    for _ in range(2):  # the second one on the same connection
        response = await client.get("/v1/voices")
        assert (response.status, await response.read()) == (status, b"")


async def test_head_says_what_get_would(client: aiohttp.ClientSession, voice: Service) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"12345")]})
        await send({"type": "http.response.body", "body": b""})

    voice.app = app
    for _ in range(2):
        response = await client.head("/v1/voices/a/audio")
        assert (response.status, response.headers["Content-Length"], await response.read()) == (200, "12345", b"")
    assert voice.last.method == "HEAD"


async def test_an_answer_comes_as_it_is_made(client: aiohttp.ClientSession, voice: Service) -> None:
    more = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await more.wait()
        await send({"type": "http.response.body", "body": b"second"})

    voice.app = app
    async with client.get("/v1/voices") as response:
        assert await response.content.readany() == b"first"
        more.set()
        assert await response.content.read() == b"second"


async def test_a_client_that_does_not_read_stops_the_service(client: aiohttp.ClientSession, voice: Service) -> None:
    sent = 0

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while sent < 400 * MIB:
            await send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
            sent += MIB
        await send({"type": "http.response.body", "body": b""})

    voice.app = app
    async with client.get("/v1/voices"):
        await until_still(lambda: sent)
        # What lies in the kernel's buffers of four sockets, and little more.
        assert 0 < sent < 100 * MIB


async def test_the_path_that_was_matched_is_the_path_that_is_asked(
    gateway: str, client: aiohttp.ClientSession, voice: Service
) -> None:
    for path in (
        "/v1/voices/..%2finternal",
        "/v1/voices/%2e%2e",
        "/v1/voices/..",
        "/v1/voices/a%2Faudio",
        "/v1//voices",
    ):
        response = await client.get(URL(gateway + path, encoded=True))
        assert response.status == 404
        assert (await response.json())["code"] == "not_found"
    assert voice.seen == []


async def test_request_ids(client: aiohttp.ClientSession, voice: Service) -> None:
    given = await client.get("/v1/voices", headers={"X-Request-Id": "my-own.1"})
    assert given.headers["X-Request-Id"] == voice.last.header("x-request-id") == "my-own.1"
    for unusable in ({"X-Request-Id": "no spaces"}, {"X-Request-Id": "x" * 200}, {}):
        made = await client.get("/v1/voices", headers=unusable)
        assert parse_id(made.headers["X-Request-Id"]) is not None
        assert made.headers["X-Request-Id"] == voice.last.header("x-request-id")


async def test_problems_carry_the_request_id(client: aiohttp.ClientSession) -> None:
    for path, status in (("/v1/nothing", 404), ("/v1/usage", 503)):
        response = await client.get(path, headers={"X-Request-Id": "mine"})
        problem = await response.json()
        assert (response.status, response.content_type) == (status, "application/problem+json")
        assert problem["request_id"] == response.headers["X-Request-Id"] == "mine"


async def test_another_method_is_answered_with_those_that_there_are(client: aiohttp.ClientSession) -> None:
    response = await client.put("/v1/voices/x")
    assert (response.status, response.headers["Allow"]) == (405, "DELETE, GET, PATCH")
    assert (await response.json())["code"] == "method_not_allowed"


async def test_the_gateway_says_what_it_is(client: aiohttp.ClientSession) -> None:
    response = await client.get("/")
    assert response.status == 200
    assert (await response.json())["name"] == "Antiphon"
    assert (await client.get("/healthz")).status == 200
