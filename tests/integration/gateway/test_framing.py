"""Requests that are not as they should be: the gateway and the service never disagree where one ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.integration.gateway.conftest import ANSWER_SECONDS, Tenant
from tests.integration.gateway.serving import HOST, Service

pytestmark = pytest.mark.usefixtures("voice_running")

HANDSHAKE = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
SMUGGLED = b"GET /v1/voices/smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def _say(gateway: str, tenant: Tenant, request: bytes) -> bytes:
    """Send a request, in which KEY stands for the key; return what comes back until the connection is closed.

    One that the gateway keeps open, waiting for more, is left when nothing has come for longer than it answers.
    """
    reader, writer = await asyncio.open_connection(HOST, int(gateway.rpartition(":")[2]))
    writer.write(request.replace(b"KEY", tenant.key.encode()))
    answered = b""
    with suppress(TimeoutError, ConnectionResetError):
        while chunk := await asyncio.wait_for(reader.read(65536), ANSWER_SECONDS + 0.5):
            answered += chunk
    writer.close()
    return answered


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        b"Content-Length: 3, 5\r\n\r\nabc",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Length: -1\r\n\r\nabc",
        b"Content-Length: 0x3\r\n\r\nabc",
        b"Content-Length : 3\r\n\r\nabc",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc",
        b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Connection: Content-Length\r\nContent-Length: 3\r\n\r\nabc",
        b"X-A: b\r\n Content-Length: 100\r\n\r\n",
        b"X-A: b\nContent-Length: 3\r\n\r\nabc",
        b"\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
        b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0;a=b\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 90\r\nX-Trailer: a\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"Content-Length: 3 \r\n\r\nabc",
        b"Content-Length: 3\x00\r\n\r\nabc",
        b"Content-Length:\x0c3\r\n\r\nabc",
        b"Content-Length: 99999999999999999999\r\n\r\nabc",
        b"X-A: a\x00b\r\nContent-Length: 3\r\n\r\nabc",
        b"\x00X: a\r\nContent-Length: 3\r\n\r\nabc",
        b": nameless\r\nContent-Length: 3\r\n\r\nabc",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 3\r\n\r\nabc",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n" + HANDSHAKE + b"Content-Length: 3\r\n\r\nabc",
    ],
)
async def test_a_body_hides_no_request(gateway: str, tenant: Tenant, voice: Service, framing: bytes) -> None:
    head = b"POST /v1/voices HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n"
    answered = await _say(gateway, tenant, head + framing + SMUGGLED)
    assert b" 500 " not in answered
    # What follows is either not taken at all, or a request of its own: one without a key.
    assert not [seen for seen in voice.seen if "smuggled" in seen.path]
    for seen in voice.seen:
        assert len(seen.all("content-length")) + len(seen.all("transfer-encoding")) == 1
        assert b"smuggled" not in seen.body


async def test_headers_of_any_bytes_do_no_harm(gateway: str, tenant: Tenant, voice: Service) -> None:
    head = (
        b"GET /v1/voices HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer KEY\r\nX-Odd: a%cb\r\n\r\n"
    )
    for byte in range(1, 256):
        answered = await _say(gateway, tenant, head % byte)
        assert answered.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 4")), (byte, answered[:100])
    assert len(voice.seen) > 128
    passed = {name for seen in voice.seen for name, _ in seen.headers}
    assert passed - {"traceparent", "tracestate"} == {"host", "x-odd", "x-request-id", "x-antiphon-identity"}


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://x/v1/voices HTTP/1.1", b"200"),
        (b"GET http://user@x:80/v1/voices HTTP/1.1", b"200"),
        (b"GET http://other/v1/voices HTTP/1.1", b"421"),
        (b"GET http:///v1/voices HTTP/1.1", b"4"),
        (b"GET //other/v1/voices HTTP/1.1", b"404"),
        (b"GET /v1/voices?a=\xff HTTP/1.1", b"4"),
        (b"GET /v1/voices?a=%zz&b=%00;c HTTP/1.1", b"200"),
        (b"GET /v1/voices?a#b HTTP/1.1", b"200"),
        (b"GET /v1/voices\xff HTTP/1.1", b"4"),
        (b"GET /v1/voices%00 HTTP/1.1", b"404"),
        (b"GET /v1/../v1/voices HTTP/1.1", b"404"),
        (b"GET v1/voices HTTP/1.1", b"4"),
        (b"OPTIONS * HTTP/1.1", b"4"),
        (b"TRACE /v1/voices HTTP/1.1", b"405"),
        (b"CONNECT x:80 HTTP/1.1", b"4"),
        (b"get /v1/voices HTTP/1.1", b"4"),
        (b"GET /v1/voices HTTP/1.0", b"200"),
        (b"GET /v1/voices HTTP/3.0", b"4"),
        (b"GET /v1/voices?" + b"a" * 100_000 + b" HTTP/1.1", b"4"),
    ],
    ids=lambda value: value[:40].decode("latin-1"),
)
async def test_odd_request_lines(gateway: str, tenant: Tenant, voice: Service, line: bytes, status: bytes) -> None:
    head = line + b"\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer KEY\r\n\r\n"
    answered = await _say(gateway, tenant, head)
    assert answered.startswith(b"HTTP/1.1 " + status), answered[:200]
    assert all(seen.path == "/v1/voices" for seen in voice.seen)


async def test_one_host_is_needed(gateway: str, tenant: Tenant, voice: Service) -> None:
    for hosts in (b"", b"Host: x\r\nHost: x\r\n", b"Host: x\r\nHost: other\r\n", b"Host: \r\n", b"Host: x y\r\n"):
        head = b"GET /v1/voices HTTP/1.1\r\n" + hosts + b"Authorization: Bearer KEY\r\n\r\n"
        answered = await _say(gateway, tenant, head)
        assert answered.startswith(b"HTTP/1.1 4"), (hosts, answered[:100])
        assert b"connection: close" in answered.lower()
    assert voice.seen == []


@pytest.mark.parametrize("name", [b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override"])
async def test_a_method_is_what_the_request_line_says(
    gateway: str, tenant: Tenant, voice: Service, name: bytes
) -> None:
    head = b"POST /v1/voices?_method=DELETE HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nConnection: close\r\n"
    await _say(gateway, tenant, head + name + b": DELETE\r\nContent-Length: 0\r\n\r\n")
    assert [seen.method for seen in voice.seen] == ["POST"]


async def test_what_follows_a_refused_body_is_not_a_request(gateway: str, tenant: Tenant, voice: Service) -> None:
    head = b"POST /v1/voices HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nContent-Length: 99999999\r\n\r\n"
    answered = await _say(gateway, tenant, head + SMUGGLED * 3)
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert answered.count(b"HTTP/1.1 ") == 1
    assert voice.seen == []


async def test_requests_that_follow_each_other_are_answered_in_their_order(
    gateway: str, tenant: Tenant, voice: Service
) -> None:
    one = b"GET /v1/voices/%d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n"
    answered = await _say(gateway, tenant, one % 1 + one % 2 + one % 3 + b"GET /v1/voices HTTP/1.1\nbroken\r\n\r\n")
    assert [seen.path for seen in voice.seen][:3] == ["/v1/voices/1", "/v1/voices/2", "/v1/voices/3"][: len(voice.seen)]
    statuses = [part[:3] for part in answered.split(b"HTTP/1.1 ")[1:]]
    # What is broken is never the answer to what came before it.
    assert statuses == [b"200"] * len(statuses) or statuses == [b"200", b"200", b"200", b"400"]


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"a" * 70_000 + b"\r\n",
        b"X-Many: a\r\n" * 200,
        b"X-" + b"n" * 70_000 + b": a\r\n",
        b"X-Endless: " + b"a" * 1_000_000,
    ],
    ids=["long", "many", "name", "endless"],
)
async def test_heads_that_are_too_large_are_refused(gateway: str, tenant: Tenant, voice: Service, head: bytes) -> None:
    request = b"GET /v1/voices HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n" + head + b"\r\n"
    answered = await _say(gateway, tenant, request)
    # Who sends on may lose the answer; nobody gets past.
    assert answered == b"" or answered.startswith(b"HTTP/1.1 431 ")
    assert voice.seen == []


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"X-A: b\r\n Content-Length: 100\r\n\r\n",
        b"X-A: b\nContent-Length: 3\r\n\r\nabc",
        b"X-A: a\x00b\r\n\r\n",
    ],
)
async def test_a_service_takes_nothing_malformed_either(
    voice_port: int, tenant: Tenant, voice: Service, framing: bytes
) -> None:
    head = b"POST /v1/voices HTTP/1.1\r\nHost: x\r\n"
    answered = await _say(f"http://{HOST}:{voice_port}", tenant, head + framing + SMUGGLED)
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert voice.seen == []
