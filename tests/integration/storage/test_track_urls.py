"""Where the audio of tracks lies: URLs that need no key, and being sent there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson

from libs.objectstore import PublicSigner
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Studio, kept, serving
from tests.integration.storage.listing import CONTENT, track_of
from tests.support.servers import Servers


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
