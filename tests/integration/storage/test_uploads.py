"""Files that clients send to the object store themselves: announced, verified, kept or rejected."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest
from yarl import URL

from libs.contracts.antiphon.storage.v1.events_pb2 import MediaStored
from libs.ids import new_id
from libs.objectstore import ObjectStore
from services.storage.domain import uploads as domain
from tests.integration.storage.conftest import Client, Ledger
from tests.integration.storage.sending import WAVE, complete, keys, opened, post, send, stored
from tests.support.uploads import announced


async def test_a_file_is_sent_verified_and_served(
    client: Client, outside: aiohttp.ClientSession, objects: ObjectStore, ledger: Ledger
) -> None:
    upload = await opened(client, owner="project-7")
    assert upload["status"] == "pending"
    assert (await send(outside, upload))[0] == 200

    answer = await complete(client, upload)

    assert answer.status == 200, answer.body
    asset = orjson.loads(answer.body)
    assert (asset["id"], asset["kind"], asset["content_type"]) == (upload["id"], "audio", "audio/wav")
    assert asset["duration_seconds"] == pytest.approx(1.0, abs=0.01)
    content = await client.get(f"/v1/media/{asset['id']}/content", range="bytes=4-7")
    assert (content.status, content.body) == (206, WAVE[4:8])
    assert [key.split("/")[0] for key in await keys(objects, client)] == ["media"]
    [event] = await ledger.events(MediaStored)
    assert (event.media_id, event.kind, event.owner, event.size_bytes) == (asset["id"], "audio", "project-7", len(WAVE))
    assert event.object_key in await keys(objects, client)


async def test_the_object_store_takes_only_what_was_announced(client: Client, outside: aiohttp.ClientSession) -> None:
    upload = await opened(client)

    assert (await send(outside, upload, WAVE + b"x"))[0] == 403
    assert (await send(outside, upload, WAVE[:-1]))[0] == 403
    assert (await send(outside, upload, WAVE, Content_Type="text/html"))[0] == 403
    assert (await send(outside, upload, WAVE[:-1] + b"x"))[0] == 400
    async with outside.get(URL(upload["url"], encoded=True)) as response:
        assert response.status == 403
    other = upload | {"url": upload["url"].replace(upload["id"], str(new_id()))}
    assert (await send(outside, other))[0] == 403

    assert (await complete(client, upload)).status == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size_bytes": 30 * domain.MIB, "purpose": "voice_sample"}, "size_bytes"),
        ({"size_bytes": 3 * 2**30, "content_type": "video/mp4"}, "size_bytes"),
        ({"content_type": "text/html"}, "content_type"),
        ({"sha256": "abc"}, "sha256"),
        ({"filename": ""}, "filename"),
        ({"size_bytes": 0}, "size_bytes"),
        ({"what": "is this"}, "what"),
    ],
)
async def test_what_is_not_taken_is_said_before_it_is_sent(client: Client, changes: dict[str, Any], field: str) -> None:
    answer = await post(client, "/v1/uploads", announced(WAVE, **changes))

    assert answer.status == 422
    assert field in orjson.loads(answer.body)["detail"]


async def test_other_organisations_know_nothing_of_it(
    client: Client, stranger: Client, outside: aiohttp.ClientSession
) -> None:
    upload = await opened(client)
    path = f"/v1/uploads/{upload['id']}"
    assert [
        (await stranger.get(path)).status,
        (await stranger.ask("DELETE", path)).status,
        (await complete(stranger, upload)).status,
    ] == [404] * 3

    await send(outside, upload)
    await complete(client, upload)

    path = f"/v1/media/{upload['id']}"
    for method, behind in (("GET", ""), ("GET", "/content"), ("HEAD", "/content"), ("GET", "/url"), ("DELETE", "")):
        assert (await stranger.ask(method, path + behind)).status == 404
    assert orjson.loads((await stranger.get("/v1/media")).body)["items"] == []
    assert (await client.get(path)).status == 200


async def test_so_many_uploads_are_open_and_no_more(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MOST_PENDING", 3)
    answers = await asyncio.gather(*(post(client, "/v1/uploads", announced(WAVE)) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 201, 201, 409, 409]

    [first, *_] = [orjson.loads(answer.body) for answer in answers if answer.status == 201]
    assert (await client.ask("DELETE", f"/v1/uploads/{first['id']}")).status == 204

    assert (await post(client, "/v1/uploads", announced(WAVE))).status == 201


async def test_what_was_given_up_is_gone(client: Client, outside: aiohttp.ClientSession, objects: ObjectStore) -> None:
    upload = await opened(client)
    await send(outside, upload)
    path = f"/v1/uploads/{upload['id']}"

    assert (await client.ask("DELETE", path)).status == 204

    assert await keys(objects, client) == []
    assert (await client.get(path)).status == 404
    assert (await complete(client, upload)).status == 404
    asset = await stored(client, outside)
    assert (await client.ask("DELETE", f"/v1/uploads/{asset['id']}")).status == 409


async def test_urls_are_signed_anew_while_they_may_be_used(
    client: Client, stranger: Client, outside: aiohttp.ClientSession
) -> None:
    upload = await opened(client)
    path = f"/v1/uploads/{upload['id']}"

    seen = orjson.loads((await client.get(path)).body)
    anew = orjson.loads((await post(client, f"{path}/urls")).body)

    assert (seen["url"], seen["headers"]) == (None, None)
    assert (await post(stranger, f"{path}/urls")).status == 404
    assert (await send(outside, anew))[0] == 200
    assert (await complete(client, upload)).status == 200
    assert orjson.loads((await post(client, f"{path}/urls")).body)["url"] is None
