"""A service decides, storage serves the bytes."""

from __future__ import annotations

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from libs.web import HANDOVER_HEADER
from libs.web.identity import HEADER as IDENTITY_HEADER
from libs.web.identity import verify
from tests.integration.gateway.conftest import IDENTITY_KEYS, Tenant
from tests.integration.gateway.serving import Service, answer

AUDIO = bytes(range(256)) * 4000
OBJECT = "/internal/objects/voices/system/0190a0c0-0000-7000-8000-000000000000?format=mp3"

pytestmark = pytest.mark.usefixtures("voice_running", "handing_over")


@pytest.fixture
def handing_over(voice: Service, storage: Service) -> None:
    async def decide(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"", headers=[(HANDOVER_HEADER.encode(), f"storage {OBJECT}".encode())])

    async def serve(scope: Scope, _receive: Receive, send: Send) -> None:
        ranged = dict(scope["headers"]).get(b"range") == b"bytes=10-19"
        body = AUDIO[10:20] if ranged else AUDIO
        headers = [
            (b"content-type", b"audio/mpeg"),
            (b"accept-ranges", b"bytes"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 206 if ranged else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    voice.app, storage.app = decide, serve


async def test_storage_answers(client: aiohttp.ClientSession, voice: Service, storage: Service, tenant: Tenant) -> None:
    response = await client.get("/v1/voices/x/audio", headers={"X-Request-Id": "mine"})
    assert (response.status, response.content_type) == (200, "audio/mpeg")
    assert await response.read() == AUDIO
    assert HANDOVER_HEADER not in response.headers
    assert f"{storage.last.path}?{storage.last.query.decode()}" == OBJECT
    assert storage.last.header("x-request-id") == voice.last.header("x-request-id") == "mine"
    token = storage.last.header(IDENTITY_HEADER)
    assert token is not None
    assert verify(token, "storage", IDENTITY_KEYS["storage"]).org_id == tenant.org_id


async def test_conditions_go_along_and_nothing_else(client: aiohttp.ClientSession, storage: Service) -> None:
    sent = {"Range": "bytes=10-19", "If-Range": '"etag"', "X-Other": "1"}
    response = await client.get("/v1/voices/x/audio", headers=sent)
    assert (response.status, await response.read()) == (206, AUDIO[10:20])
    assert storage.last.header("if-range") == '"etag"'
    assert storage.last.header("x-other") is None


async def test_head(client: aiohttp.ClientSession, storage: Service) -> None:
    response = await client.head("/v1/voices/x/audio")
    assert (response.status, response.headers["Content-Length"]) == (200, str(len(AUDIO)))
    assert storage.last.method == "HEAD"


@pytest.mark.parametrize(
    "instruction", ["storage /v1/voices", "nobody /internal/x", "storage", "storage http://x/internal/"]
)
async def test_a_hand_over_goes_to_no_other_place(
    client: aiohttp.ClientSession, voice: Service, storage: Service, instruction: str
) -> None:
    async def decide(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"", headers=[(HANDOVER_HEADER.encode(), instruction.encode())])

    voice.app = decide
    response = await client.get("/v1/voices/x/audio")
    assert response.status == 500
    assert storage.seen == []
