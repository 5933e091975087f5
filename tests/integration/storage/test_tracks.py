"""Tracks over HTTP: listed, described and sent."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from libs.ids import new_id
from libs.messaging import Unavailable
from services.storage import usecases
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Studio, delivery, kept, serving
from tests.integration.storage.listing import CONTENT, LARGE, code_of, listed, track_of


async def test_a_track_says_what_it_is_and_nothing_of_where_it_lies(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT, spoken="Hello, world!")
    (track,) = await listed(client)
    assert track | {"id": None, "created_at": None, "updated_at": None} == {
        "id": None,
        "generation_id": event.generation_id,
        "text": "Hello, world!",
        "input_type": "text",
        "language": "en-US",
        "model_id": "espeak",
        "duration_seconds": event.duration_seconds,
        "format": "mp3",
        "content_type": "audio/mpeg",
        "sample_rate": 22050,
        "size_bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "audio_url": f"/v1/tracks/{track['id']}/audio",
        "alignment_url": f"/v1/tracks/{track['id']}/alignment",
        "created_at": None,
        "updated_at": None,
    }
    one = await client.get(f"/v1/tracks/{track['id']}")
    assert orjson.loads(one.body) == track
    assert str(studio.org_id).encode() not in one.body


async def test_tracks_are_listed_newest_first_page_by_page(deps: Deps, studio: Studio, client: Client) -> None:
    made = [(await kept(deps, studio, b"%d" % number)).generation_id for number in range(5)]
    found: list[str] = []
    page: dict[str, Any] = {"next_cursor": ""}
    for _ in range(3):
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = orjson.loads((await client.get(f"/v1/tracks?{urlencode({'limit': 2, **cursor})}")).body)
        found += [track["generation_id"] for track in page["items"]]
    assert found == made[::-1]
    assert page["next_cursor"] is None


async def test_tracks_are_listed_by_what_they_are(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    moment = datetime.now(UTC)
    assert len(await listed(client, format="mp3")) == 1
    assert await listed(client, format="wav") == []
    assert await listed(client, generation_id=str(new_id())) == []
    assert len(await listed(client, generation_id=event.generation_id)) == 1
    assert await listed(client, since=moment.isoformat()) == []
    assert len(await listed(client, until=moment.isoformat())) == 1
    for wrong in ("generation_id=x", "format=%2F", "since=1", "limit=0", "limit=101", "cursor=x"):
        assert (await client.get(f"/v1/tracks?{wrong}")).status == 422, wrong


async def test_a_list_shows_the_beginning_of_a_long_text(deps: Deps, studio: Studio, client: Client) -> None:
    event = await studio.upload_long(CONTENT, spoken="long " * 1500)
    await usecases.keep_audio(deps, delivery(event))
    (track,) = await listed(client)
    assert track["text"] == ("long " * 1500)[:5000]
    assert orjson.loads((await client.get(f"/v1/tracks/{track['id']}")).body)["text"] == "long " * 1500


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["small", "large"])
async def test_its_audio_is_sent_whole_in_part_and_not_again(
    deps: Deps, studio: Studio, client: Client, content: bytes
) -> None:
    event = await kept(deps, studio, content)
    path = f"/v1/tracks/{await track_of(client, event.generation_id)}/audio"
    whole = await client.get(path)
    assert (whole.status, whole.body) == (200, content)
    assert whole.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert whole.headers["cache-control"] == "private, max-age=3600"
    assert whole.headers["content-disposition"].startswith('inline; filename="generation-')
    assert whole.headers["content-length"] == str(len(content))
    for asked, part in (("bytes=0-0", content[:1]), ("bytes=-7", content[-7:]), ("bytes=9-99", content[9:100])):
        answer = await client.get(path, range=asked, if_range=whole.headers["etag"])
        assert (answer.status, answer.body) == (206, part)
        assert answer.headers["content-length"] == str(len(part))
    assert (await client.get(path, range="bytes=0-0", if_range='"other"')).body == content
    assert (await client.get(path, range=f"bytes={len(content)}-")).status == 416
    assert (await client.get(path, if_none_match=whole.headers["etag"])).status == 304
    assert (await client.get(path, if_match='"other"')).status == 412
    head = await client.ask("HEAD", path)
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", whole.headers["etag"])


async def test_its_alignment_is_what_its_generation_has(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT, spoken="Hi there.")
    path = f"/v1/tracks/{await track_of(client, event.generation_id)}/alignment"
    for query in ("", "?level=word", "?level=sentence", "?format=srt", "?format=vtt", "?format=ass"):
        answer = await client.get(path + query)
        same = await client.get(f"/internal/generations/{event.generation_id}/alignment{query}")
        assert (answer.status, answer.body) == (200, same.body)
        assert answer.headers["content-type"] == same.headers["content-type"]
    long = await studio.upload_long(b"long", spoken="Hi!")
    await usecases.keep_audio(deps, delivery(long))
    answer = await client.get(f"/v1/tracks/{await track_of(client, long.generation_id)}/alignment")
    assert orjson.loads(answer.body)["characters"] == ["H", "i", "!"]


async def test_what_is_deleted_foreign_or_no_id_is_not_found(
    deps: Deps, studio: Studio, client: Client, stranger: Client
) -> None:
    event = await kept(deps, studio, CONTENT)
    track_id = await track_of(client, event.generation_id)
    paths = [f"/v1/tracks/{track_id}{end}" for end in ("", "/audio", "/audio?redirect=true", "/alignment", "/url")]
    for path in paths:
        assert code_of(await stranger.get(path)) == (404, "track_not_found")
        assert (await client.get(path)).status == 200
    assert await listed(stranger) == []
    await usecases.remove_audio(deps, delivery(studio.deletion(event)))
    for path in paths:
        assert code_of(await client.get(path)) == (404, "track_not_found")
    assert await listed(client) == []
    assert deps.small.size_bytes == 0
    for path in ("/v1/tracks/x", "/v1/tracks/x/audio", f"/v1/tracks/{new_id()}/url"):
        assert code_of(await client.get(path)) == (404, "track_not_found")


async def test_a_track_whose_object_is_gone_is_said_to_have_none(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    track_id = await track_of(client, event.generation_id)
    await deps.objects.delete(event.object_key)
    assert code_of(await client.get(f"/v1/tracks/{track_id}/audio")) == (404, "object_not_found")
    await deps.objects.put(event.object_key, CONTENT[:-1], "audio/mpeg")
    assert code_of(await client.get(f"/v1/tracks/{track_id}/audio")) == (503, "unavailable")
    # Neither is held in memory.
    await deps.objects.put(event.object_key, CONTENT, "audio/mpeg")
    assert (await client.get(f"/v1/tracks/{track_id}/audio")).body == CONTENT


async def test_lists_are_read_from_an_index(deps: Deps, studio: Studio) -> None:
    async with deps.database.transaction(UUID(int=1)) as session:
        await session.execute(text("set local enable_seqscan = off"))
        plan = await session.execute(
            text("explain select id from audio_tracks where org_id = :org order by created_at desc, id desc limit 21"),
            {"org": studio.org_id},
        )
        assert "audio_tracks_list" in "\n".join(plan.scalars())


async def test_the_track_that_a_generation_shares_is_found_under_its_id(
    deps: Deps, studio: Studio, stranger: Client
) -> None:
    event = await kept(deps, studio, b"shared")
    guest, other = new_id(), new_id()

    async def find_audio(org_id: UUID, generation_id: UUID) -> UUID | None:
        mine = org_id == studio.org_id and generation_id == guest
        return UUID(event.generation_id) if mine else None

    async with serving(replace(deps, find_audio=find_audio)) as http:
        mine, theirs = Client(http, studio.org_id), Client(http, stranger.org_id)
        (track,) = await listed(mine, generation_id=str(guest))
        assert track["generation_id"] == event.generation_id
        assert await listed(mine, generation_id=event.generation_id) == [track]
        assert await listed(mine, generation_id=str(guest), format="wav") == []
        assert await listed(mine, generation_id=str(other)) == []
        assert await listed(theirs, generation_id=str(guest)) == []


async def test_while_nobody_can_say_what_a_generation_shares_the_request_is_to_be_repeated(
    deps: Deps, studio: Studio
) -> None:
    event = await kept(deps, studio, b"shared")

    async def find_audio(_org_id: UUID, _generation_id: UUID) -> UUID | None:
        raise Unavailable("the generation service is restarting")

    async with serving(replace(deps, find_audio=find_audio)) as http:
        client = Client(http, studio.org_id)
        assert len(await listed(client, generation_id=event.generation_id)) == 1
        answer = await client.get(f"/v1/tracks?generation_id={new_id()}")
        assert (answer.status, orjson.loads(answer.body)["code"]) == (503, "unavailable")
