"""Audio and objects over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from minio import Minio

from libs.ids import new_id
from libs.objectstore import ObjectStore
from libs.objectstore.requests import SignedRequests
from libs.objectstore.store import PART_BYTES
from libs.web import OBJECT_HEADER, TAKES_OBJECTS_HEADER
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Studio, kept, serving
from tests.support.servers import Servers

CONTENT = bytes(range(256)) * 1000


def audio_path(generation_id: str) -> str:
    return f"/internal/generations/{generation_id}/audio"


async def test_audio_is_sent_whole_with_what_caches_and_players_need(
    deps: Deps, studio: Studio, client: Client
) -> None:
    event = await kept(deps, studio, CONTENT)
    answer = await client.get(audio_path(event.generation_id))
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert answer.headers["content-disposition"] == f'inline; filename="generation-{event.generation_id}.mp3"'
    assert "last-modified" in answer.headers
    assert event.object_key not in str(answer.headers)


async def test_head_says_the_same_without_the_audio(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    got = await client.get(audio_path(event.generation_id))
    asked = await client.ask("HEAD", audio_path(event.generation_id), range="bytes=0-1")
    assert (asked.status, asked.body) == (200, b"")
    for moving in ("date", "server"):
        got.headers.pop(moving, None), asked.headers.pop(moving, None)
    assert asked.headers == got.headers


@pytest.mark.parametrize(
    ("asked", "part", "described"),
    [
        ("bytes=0-0", slice(0, 1), "bytes 0-0/256000"),
        ("bytes=100000-", slice(100000, None), "bytes 100000-255999/256000"),
        ("bytes=-7", slice(-7, None), "bytes 255993-255999/256000"),
        ("bytes=0-999999", slice(None), "bytes 0-255999/256000"),
    ],
)
async def test_a_part_is_sent(
    deps: Deps, studio: Studio, client: Client, asked: str, part: slice, described: str
) -> None:
    event = await kept(deps, studio, CONTENT)
    answer = await client.get(audio_path(event.generation_id), range=asked)
    assert (answer.status, answer.body) == (206, CONTENT[part])
    assert answer.headers["content-range"] == described
    assert answer.headers["content-length"] == str(len(CONTENT[part]))


async def test_a_part_behind_the_end_is_refused(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    answer = await client.get(audio_path(event.generation_id), range="bytes=256000-")
    assert answer.status == 416
    assert answer.headers["content-range"] == "bytes */256000"
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["code"] == "range_not_satisfiable"


async def test_a_client_with_a_copy_gets_no_second_one(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    path = audio_path(event.generation_id)
    first = await client.get(path)
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    for method in ("GET", "HEAD"):
        for condition in ({"if_none_match": etag}, {"if_modified_since": modified}):
            answer = await client.ask(method, path, **condition)
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"] == etag
            assert answer.headers["cache-control"] == "private, max-age=3600"
    assert (await client.get(path, if_none_match='"other"')).status == 200
    assert (await client.get(path, if_match='"other"')).status == 412


async def test_a_download_is_resumed_only_if_it_is_still_the_same(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    path = audio_path(event.generation_id)
    etag = (await client.get(path)).headers["etag"]
    same = await client.get(path, range="bytes=10-", if_range=etag)
    assert (same.status, same.body) == (206, CONTENT[10:])
    other = await client.get(path, range="bytes=10-", if_range='"other"')
    assert (other.status, other.body) == (200, CONTENT)


async def test_the_alignment_has_one_entry_a_code_point(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, b"x", spoken="e\u0301 👩‍🚀é")
    answer = await client.get(f"/internal/generations/{event.generation_id}/alignment")
    assert answer.status == 200
    body = json.loads(answer.body)
    assert set(body) == {"characters", "start_times", "end_times"}
    assert body["characters"] == list(event.text)
    assert body["start_times"] == list(event.alignment.start_times)
    assert body["end_times"] == list(event.alignment.end_times)


async def test_nobody_else_sees_or_guesses_audio(deps: Deps, studio: Studio, client: Client, stranger: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    for path in (audio_path(event.generation_id), f"/internal/generations/{event.generation_id}/alignment"):
        answer = await stranger.get(path)
        assert (answer.status, json.loads(answer.body)["code"]) == (404, "audio_not_found")
    for unknown in (str(new_id()), "not-an-id", "%00", event.generation_id + "0"):
        assert (await client.get(audio_path(unknown))).status == 404
    async with client.session.get(audio_path(event.generation_id)) as response:
        assert response.status == 401


async def test_objects_of_system_voices_are_everybodys(objects: ObjectStore, client: Client) -> None:
    key = f"voices/system/{new_id()}"
    await objects.put(key, CONTENT, "audio/mpeg")
    answer = await client.get(f"/internal/objects/{key}")
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "content-disposition" not in answer.headers
    part = await client.get(f"/internal/objects/{key}", range="bytes=5-9", if_range=answer.headers["etag"])
    assert (part.status, part.body) == (206, CONTENT[5:10])
    assert (await client.get(f"/internal/objects/{key}", if_none_match=answer.headers["etag"])).status == 304
    head = await client.ask("HEAD", f"/internal/objects/{key}")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(CONTENT)), b"")


async def test_objects_of_a_custom_voice_are_its_organisations(
    objects: ObjectStore, client: Client, stranger: Client
) -> None:
    key = f"voices/orgs/{client.org_id}/{new_id()}"
    await objects.put(key, b"voice", "audio/wav")
    mine = await client.get(f"/internal/objects/{key}")
    assert (mine.status, mine.body) == (200, b"voice")
    assert mine.headers["cache-control"] == "private, max-age=3600"
    for path in (key, key.replace(str(client.org_id), f"{stranger.org_id}/%2e%2e/{client.org_id}")):
        answer = await stranger.get(f"/internal/objects/{path}")
        assert (answer.status, json.loads(answer.body)["code"]) == (404, "object_not_found")
    assert (await client.get(f"/internal/objects/voices/system/{new_id()}")).status == 404
    assert (await client.get(f"/internal/objects/generations/orgs/{client.org_id}/x/y.mp3")).status == 404


async def test_waves_are_stored_under_a_name_that_is_not_compressed_and_are_sent_under_the_usual_one(
    servers: Servers, objects: ObjectStore, client: Client
) -> None:
    key = f"voices/orgs/{client.org_id}/{new_id()}"
    await objects.put(key, CONTENT, "audio/wav")
    address = servers.object_store_address
    store = Minio(address.endpoint.partition("://")[2], address.access_key, address.secret_key, secure=False)
    stored = await asyncio.to_thread(store.stat_object, address.bucket, key)
    assert stored.content_type == "audio/vnd.wave"
    sent = await client.get(f"/internal/objects/{key}")
    assert (sent.headers["content-type"], sent.body) == ("audio/wav", CONTENT)


async def test_large_waves_are_not_compressed_either(
    servers: Servers, objects: ObjectStore, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part has no type by itself: what begins as a wave would be taken for one."""
    sent: list[tuple[str, str]] = []
    send = SignedRequests.send

    def noted(requests: SignedRequests, method: str, key: str, **options: Any) -> AbstractAsyncContextManager[Any]:
        sent.append((method, options.get("headers", {}).get("Content-Type", "")))
        return send(requests, method, key, **options)

    async def wave() -> AsyncIterator[bytes]:
        yield b"RIFF\0\0\0\0WAVEfmt " + bytes(PART_BYTES)

    monkeypatch.setattr(SignedRequests, "send", noted)
    key = f"voices/orgs/{client.org_id}/{new_id()}"
    stored = await objects.put_parts(key, wave(), "audio/wav")
    assert [one for one in sent if one[0] == "PUT"] == [("PUT", "audio/vnd.wave")] * 2
    assert await objects.digest(key) == (stored.sha256, stored.size)


async def test_an_object_store_that_is_away_is_said_to_be(deps: Deps, studio: Studio, unreachable: ObjectStore) -> None:
    event = await kept(deps, studio, CONTENT)
    async with serving(replace(deps, objects=unreachable)) as session:
        client = Client(session, studio.org_id)
        for path in (audio_path(event.generation_id), f"/internal/objects/voices/system/{new_id()}"):
            answer = await client.get(path)
            assert (answer.status, json.loads(answer.body)["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"] == "1"


LARGE = bytes(range(256)) * 8_000


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [({}, 200, f"+{len(LARGE)}"), ({"range": "bytes=7-1000006"}, 206, "7+1000000")],
    ids=["whole", "part"],
)
async def test_what_is_large_is_left_to_who_can_get_it(
    deps: Deps, studio: Studio, client: Client, asked: dict[str, str], status: int, part: str
) -> None:
    assert len(LARGE) > deps.small_bytes
    event = await kept(deps, studio, LARGE)
    path = audio_path(event.generation_id)
    sent = await client.get(path, **asked)
    left = await client.get(path, **asked, **{TAKES_OBJECTS_HEADER: "1"})
    assert (left.status, left.body, sent.status) == (status, b"", status)
    assert left.headers.pop(OBJECT_HEADER) == f"{part} {event.object_key}"
    for moving in ("date", "server", "content-length"):
        left.headers.pop(moving, None), sent.headers.pop(moving, None)
    assert left.headers == sent.headers


@pytest.mark.parametrize(
    ("method", "content", "asked"),
    [("GET", CONTENT, {}), ("HEAD", LARGE, {}), ("GET", LARGE, {"if_none_match": "*"})],
    ids=["small", "head", "unchanged"],
)
async def test_nothing_else_is(
    deps: Deps, studio: Studio, client: Client, method: str, content: bytes, asked: dict[str, str]
) -> None:
    event = await kept(deps, studio, content)
    answer = await client.ask(method, audio_path(event.generation_id), **asked, **{TAKES_OBJECTS_HEADER: "1"})
    assert answer.status == (304 if asked else 200)
    assert OBJECT_HEADER not in answer.headers


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_a_client_that_leaves_does_not_keep_the_object_open(deps: Deps, studio: Studio, client: Client) -> None:
    content = b"x" * 20_000_000
    event = await kept(deps, studio, content)
    for _ in range(150):
        # More than the object store's connections, were they not given back.
        async with client.session.get(audio_path(event.generation_id), headers=client.identity()) as response:
            assert response.status == 200
            await response.content.readexactly(1000)
    whole = await client.get(audio_path(event.generation_id))
    assert whole.body == content
