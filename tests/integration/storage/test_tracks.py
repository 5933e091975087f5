"""Tracks over HTTP: listed, described, sent, signed for; and small ones held in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import orjson
import pytest
from sqlalchemy import text

from libs.ids import new_id
from libs.messaging import Unavailable
from libs.objectstore import ObjectReader, ObjectStore, PublicSigner
from services.storage import usecases
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Answer, Client, Studio, delivery, kept, serving
from tests.support.servers import Servers

CONTENT = bytes(range(256)) * 100
LARGE = bytes(range(256)) * 5000


async def listed(client: Client, **query: Any) -> list[dict[str, Any]]:  # Any: JSON
    answer = await client.get(f"/v1/tracks?{urlencode(query)}")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = orjson.loads(answer.body)["items"]
    return items


async def track_of(client: Client, generation_id: str) -> str:
    (found,) = await listed(client, generation_id=generation_id)
    return str(found["id"])


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, orjson.loads(answer.body)["code"]


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


async def test_a_signed_url_gives_the_audio_until_it_ends(
    deps: Deps, servers: Servers, studio: Studio, http: aiohttp.ClientSession, client: Client
) -> None:
    event = await kept(deps, studio, CONTENT)
    path = f"/v1/tracks/{await track_of(client, event.generation_id)}/url"
    answer = await client.get(path)
    assert answer.headers["cache-control"] == "private, no-store"
    signed = orjson.loads(answer.body)
    assert set(signed) == {"url", "expires_at"}
    lasts = datetime.fromisoformat(signed["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < lasts <= timedelta(minutes=15)
    async with aiohttp.ClientSession() as anybody:
        async with anybody.get(signed["url"]) as sent:
            assert (sent.status, await sent.read()) == (200, CONTENT)
            assert sent.headers["content-type"] == "audio/mpeg"
            assert sent.headers["content-disposition"] == f'inline; filename="generation-{event.generation_id}.mp3"'
        async with anybody.get(signed["url"], headers={"range": "bytes=0-9"}) as sent:
            assert (sent.status, await sent.read()) == (206, CONTENT[:10])
        async with anybody.put(signed["url"], data=b"other") as sent:
            assert sent.status == 403
        # What was signed a minute and a half ago for a minute.
        earlier = PublicSigner(servers.object_store_address, None, lambda: datetime.now(UTC) - timedelta(seconds=90))
        passed = replace(deps, signer=earlier)
        async with serving(passed) as other:
            late = await Client(other, studio.org_id).get(f"{path}?seconds=60")
            assert datetime.fromisoformat(orjson.loads(late.body)["expires_at"]) < datetime.now(UTC)
            async with anybody.get(orjson.loads(late.body)["url"]) as sent:
                assert sent.status == 403
    for wrong in (0, 901, "x"):
        assert (await client.get(f"{path}?seconds={wrong}")).status == 422


async def test_a_url_is_for_the_address_that_clients_use(
    deps: Deps, servers: Servers, studio: Studio, client: Client
) -> None:
    event = await kept(deps, studio, CONTENT)
    path = f"/v1/tracks/{await track_of(client, event.generation_id)}/url"
    signer = PublicSigner(servers.object_store_address, "https://media.example.com", deps.clock)
    async with serving(replace(deps, signer=signer)) as other:
        signed = orjson.loads((await Client(other, studio.org_id).get(path)).body)
    assert signed["url"].startswith("https://media.example.com/antiphon/")
    # As a proxy hands it on: another connection, the same Host.
    moved = signed["url"].replace("https://media.example.com", servers.object_store_address.endpoint)
    async with aiohttp.ClientSession() as anybody:
        async with anybody.get(moved, headers={"host": "media.example.com"}) as sent:
            assert (sent.status, await sent.read()) == (200, CONTENT)
        async with anybody.get(moved) as sent:
            assert sent.status == 403


async def test_who_asks_for_it_is_sent_to_where_the_audio_lies(
    deps: Deps, studio: Studio, http: aiohttp.ClientSession, client: Client
) -> None:
    event = await kept(deps, studio, CONTENT)
    path = f"/v1/tracks/{await track_of(client, event.generation_id)}/audio?redirect=true"
    async with http.get(path, headers=client.identity(), allow_redirects=False) as answer:
        assert (answer.status, answer.headers["cache-control"]) == (307, "private, no-store")
        there = answer.headers["location"]
    async with aiohttp.ClientSession() as anybody, anybody.get(there) as sent:
        assert await sent.read() == CONTENT
    etag = f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert (await client.get(path, if_none_match=etag)).status == 304
    assert (await client.ask("HEAD", path)).status == 200


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


@dataclass
class Counting(ObjectStore):
    """The object store, and how often it was read."""

    inner: ObjectStore
    reads: list[str] = field(default_factory=list)

    async def get(self, key: str) -> bytes:
        self.reads.append(key)
        # Long enough for all who ask together to have asked.
        await asyncio.sleep(0.2)
        return await self.inner.get(key)

    @asynccontextmanager
    async def open(self, key: str, conditions: Mapping[str, str], *, head: bool = False) -> AsyncIterator[ObjectReader]:
        self.reads.append(key)
        async with self.inner.open(key, conditions, head=head) as reader:
            yield reader


async def test_a_hundred_readers_of_a_new_track_fetch_it_once(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    track_id = await track_of(client, event.generation_id)
    counting = Counting(deps.objects)
    async with serving(replace(deps, objects=counting)) as http:
        reader = Client(http, studio.org_id)
        answers = await asyncio.gather(*(reader.get(f"/v1/tracks/{track_id}/audio") for _ in range(100)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, CONTENT)}
        part = await reader.get(f"/v1/tracks/{track_id}/audio", range="bytes=5-9")
        assert part.body == CONTENT[5:10]
    assert counting.reads == [event.object_key]


async def test_what_is_large_is_not_held_in_memory(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, LARGE)
    track_id = await track_of(client, event.generation_id)
    assert (await client.get(f"/v1/tracks/{track_id}/audio")).body == LARGE
    assert deps.small.size_bytes == 0


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
