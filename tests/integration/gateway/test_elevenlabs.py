"""ElevenLabs' calls at the gateway, in front of services that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import orjson
import pytest
from starlette.types import Receive, Scope, Send

from libs.database import Database
from libs.ids import new_id
from libs.messaging import Bus
from libs.web import Problem, invalid_field
from tests.integration.gateway.conftest import Tenant, running_gateway
from tests.integration.gateway.serving import Service, answer, read_body, serving

ID = str(new_id())
VOICE = {
    "id": ID,
    "name": "Ada",
    "variant": "CUSTOM",
    "status": "ready",
    "language": "en-US",
    "category": "GENERAL",
    "description": None,
    "engine": "espeak-ng",
    "settings": {"speed": 1.0},
    "preview_url": None,
    "created_at": "2026-01-31T12:00:00Z",
}
Reply = Callable[[bytes, Send], Awaitable[None]]


def _playing(replies: Mapping[str, Reply], asked: list[tuple[str, bytes]]) -> Any:  # Any: an ASGI application
    """Return a service that answers by method and path, and notes what it is asked."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        request = f"{scope['method']} {scope['raw_path'].decode()}"
        asked.append((request, body))
        await replies[request](body, send)

    return app


def _json(document: object, status: int = 200) -> Reply:
    return lambda _body, send: answer(send, orjson.dumps(document), status)


def _problem(problem: Problem) -> Reply:
    headers = [(b"content-type", b"application/problem+json")]
    return lambda _body, send: answer(send, problem.body("x"), problem.status, headers)


def _audio(content: bytes = b"audio") -> Reply:
    headers = [(b"content-type", b"audio/mpeg"), (b"generation-id", ID.encode())]
    return lambda _body, send: answer(send, content, 200, headers)


@pytest.fixture
def generation() -> Service:
    return Service()


@pytest.fixture
async def session(
    database: Database, bus: Bus, voice: Service, generation: Service, tenant: Tenant
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the tenant's key, of a gateway in front of a voice and a generation service."""
    async with serving(voice) as voice_url, serving(generation) as generation_url:
        urls = {"voice": voice_url, "generation": generation_url}
        async with (
            running_gateway(database, bus, urls) as url,
            aiohttp.ClientSession(f"{url}/elevenlabs/", headers={"xi-api-key": tenant.key, "Host": "x"}) as client,
        ):
            yield client


async def _detail(response: aiohttp.ClientResponse) -> tuple[int, str]:
    assert response.content_type == "application/json"
    return response.status, (await response.json())["detail"]["status"]


async def test_whatever_goes_wrong_is_told_in_their_form(session: aiohttp.ClientSession) -> None:
    assert await _detail(await session.get("v1/nowhere")) == (404, "not_found")
    assert await _detail(await session.get("v1/voices/%2e%2e/settings")) == (404, "not_found")
    assert await _detail(await session.delete("v1/models")) == (405, "method_not_allowed")
    assert await _detail(await session.get("v1/models", headers={"xi-api-key": "ant_no"})) == (401, "invalid_api_key")
    assert await _detail(await session.post("v1/text-to-speech/Emma", json={"text": 7})) == (422, "invalid_request")
    response = await session.get("v1/models", headers={"xi-api-key": "ant_no"})
    assert response.headers["request-id"] == response.headers["x-request-id"]
    await response.read()


async def test_a_form_passes_as_it_came_and_its_labels_are_applied(
    session: aiohttp.ClientSession, voice: Service
) -> None:
    asked: list[tuple[str, bytes]] = []
    voice.app = _playing(
        {
            "POST /v1/voices": _json({"id": ID}, 201),
            f"PATCH /v1/voices/{ID}": _json(VOICE),
            f"GET /v1/voices/{ID}": _json(VOICE),
        },
        asked,
    )
    form = aiohttp.FormData()
    form.add_field("name", "Ada")
    form.add_field("labels", '{"language": "de", "mood": "calm"}')
    form.add_field("files", bytes(range(256)) * 4000, filename="upload", content_type="application/octet-stream")
    payload = form()
    sent = await payload.as_bytes()
    headers = {"Content-Type": payload.headers["Content-Type"]}
    response = await session.post("v1/voices/add", data=sent, headers=headers)
    assert (response.status, await response.json()) == (200, {"voice_id": ID, "requires_verification": False})
    assert response.headers["antiphon-ignored"] == "labels.mood"
    assert asked[0] == ("POST /v1/voices", sent)
    assert (asked[1][0], orjson.loads(asked[1][1])) == (f"PATCH /v1/voices/{ID}", {"language": "de"})


async def test_labels_that_were_left_out_change_nothing_and_wrong_ones_leave_no_voice(
    session: aiohttp.ClientSession, voice: Service
) -> None:
    asked: list[tuple[str, bytes]] = []
    gone: Reply = lambda _body, send: answer(send, b"", 204)  # noqa: E731 - one of many in a table
    voice.app = _playing(
        {
            "POST /v1/voices": _json({"id": ID}, 201),
            f"GET /v1/voices/{ID}": _json(VOICE),
            f"DELETE /v1/voices/{ID}": gone,
        },
        asked,
    )
    for labels in ("null", "not JSON"):
        form = aiohttp.FormData({"name": "Ada", "labels": labels})
        form.add_field("files", b"sound", filename="upload")
        response = await session.post("v1/voices/add", data=form)
        assert response.status == (200 if labels == "null" else 422)
        await response.read()
    assert [request.split()[0] for request, _ in asked] == ["POST", "GET", "POST", "DELETE"]


@pytest.mark.parametrize("status", [409, 429, 500, 503])
async def test_a_form_is_refused_so_that_their_client_does_not_send_half_of_it_again(
    session: aiohttp.ClientSession, voice: Service, status: int
) -> None:
    refusal = Problem(status, "voice_name_taken", "The name is taken")
    voice.app = _playing({"POST /v1/voices": _problem(refusal)}, [])
    form = aiohttp.FormData({"name": "Ada"})
    form.add_field("files", b"sound", filename="upload")
    assert await _detail(await session.post("v1/voices/add", data=form)) == (400, "voice_name_taken")


async def test_a_voice_that_was_just_made_is_spoken_with_though_it_is_not_known_everywhere_yet(
    session: aiohttp.ClientSession, voice: Service, generation: Service
) -> None:
    voice.app = _playing({f"GET /v1/voices/{ID}": _json(VOICE)}, [])
    unknown = invalid_field("voice_id", "there is no such voice", code="unknown_voice")
    tries = 0

    async def stream(body: bytes, send: Send) -> None:
        nonlocal tries
        tries += 1
        await (_problem(unknown) if tries < 3 else _audio())(body, send)

    generation.app = _playing({"POST /v1/generations/stream": stream}, [])
    response = await session.post(f"v1/text-to-speech/{ID}/stream", json={"text": "Hello."})
    assert (response.status, await response.read(), tries) == (200, b"audio", 3)
    assert response.headers["history-item-id"] == ID


async def test_a_voice_that_there_is_not_is_asked_for_once(
    session: aiohttp.ClientSession, voice: Service, generation: Service
) -> None:
    asked: list[tuple[str, bytes]] = []
    voice.app = _playing({f"GET /v1/voices/{ID}": _problem(Problem(404, "voice_not_found", "None"))}, [])
    unknown = invalid_field("voice_id", "there is no such voice", code="unknown_voice")
    generation.app = _playing({"POST /v1/generations/stream": _problem(unknown)}, asked)
    response = await session.post(f"v1/text-to-speech/{ID}/stream", json={"text": "Hello."})
    assert await _detail(response) == (404, "voice_not_found")
    assert len(asked) == 1


async def test_what_is_not_to_be_kept_is_gone_before_the_answer_ends(
    session: aiohttp.ClientSession, generation: Service
) -> None:
    deleting, may_delete = asyncio.Event(), asyncio.Event()

    async def delete(_body: bytes, send: Send) -> None:
        deleting.set()
        await may_delete.wait()
        await answer(send, b"", 204)

    generation.app = _playing({"POST /v1/generations/stream": _audio(), f"DELETE /v1/generations/{ID}": delete}, [])
    path = f"v1/text-to-speech/{ID}/stream?enable_logging=false"
    response = await session.post(path, json={"text": "Hello."})
    reading = asyncio.create_task(response.read())
    await asyncio.wait_for(deleting.wait(), 5)
    assert not reading.done()
    may_delete.set()
    assert await reading == b"audio"


async def test_audio_that_breaks_off_is_broken_off(session: aiohttp.ClientSession, generation: Service) -> None:
    async def half(_body: bytes, send: Send) -> None:
        headers = [(b"content-length", b"1000"), (b"content-type", b"audio/mpeg"), (b"generation-id", ID.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ConnectionResetError

    generation.app = _playing({"POST /v1/generations/stream": half}, [])
    response = await session.post(f"v1/text-to-speech/{ID}/stream", json={"text": "Hello."})
    with pytest.raises(aiohttp.ClientPayloadError):
        await response.read()


async def test_a_client_that_goes_away_ends_what_was_asked_for_it(
    session: aiohttp.ClientSession, generation: Service
) -> None:
    gone = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive)
        headers = [(b"content-type", b"audio/mpeg"), (b"generation-id", ID.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    generation.app = app
    response = await session.post(f"v1/text-to-speech/{ID}/stream", json={"text": "Hello."})
    assert await response.content.read(4) == b"some"
    response.close()
    await asyncio.wait_for(gone.wait(), 5)


async def test_an_id_from_a_body_stays_one_segment_of_a_path(
    session: aiohttp.ClientSession, generation: Service
) -> None:
    asked: list[tuple[str, bytes]] = []
    wanted = "../../internal/objects/x?a=b#c"
    path = "GET /v1/generations/..%2F..%2Finternal%2Fobjects%2Fx%3Fa%3Db%23c/audio"
    generation.app = _playing({path: _problem(Problem(404, "generation_not_found", "None"))}, asked)
    response = await session.post("v1/history/download", json={"history_item_ids": [wanted]})
    assert await _detail(response) == (404, "history_item_not_found")
    assert [request for request, _ in asked] == [path]
