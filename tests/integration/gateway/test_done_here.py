"""What the gateway itself was asked for once, and is asked for again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import orjson

from libs.database import Database
from libs.messaging import Bus
from services.gateway.adapters.sealing import Sealing
from services.gateway.domain.idempotency import LEASE
from services.gateway.store.idempotency import Taken
from services.gateway.usecases.idempotency import DoneWithItsEffect, Headers, Requests
from tests.integration.gateway.conftest import IDENTITY_KEYS, Tenant, running_gateway
from tests.integration.gateway.repeating import Gateways, Maker, is_replayed
from tests.integration.gateway.serving import serving
from tests.support.polling import eventually

JSON = "application/json"


class Dying(Requests):
    """Does what is asked, and never gets to record what it answered."""

    async def answered(self, taken: Taken, status: int, headers: Headers, body: bytes | None) -> bool:
        await asyncio.Event().wait()
        return await super().answered(taken, status, headers, body)


async def test_what_the_gateway_did_before_it_died_is_not_done_again(
    database: Database, bus: Bus, gateways: Gateways
) -> None:
    database.add_hook(DoneWithItsEffect())
    dying = Dying(database, gateways.now, Sealing(IDENTITY_KEYS))
    body = orjson.dumps({"name": "Once"})
    async with running_gateway(database, bus, {}, requests=dying) as url:
        gateways.urls.append(url)
        first = asyncio.create_task(gateways.post("k", at=2, path="/v1/keys", body=body, Content_Type=JSON))

        async def names() -> list[str]:
            async with gateways.session.get(gateways.urls[0] + "/v1/keys") as response:
                return [item["name"] for item in (await response.json())["items"]]

        async def is_made() -> bool:
            return "Once" in await names()

        await eventually(is_made, within=5, what="the key")
        for ahead, code in ((timedelta(), "request_still_running"), (LEASE, "answer_lost")):
            gateways.ahead = ahead
            status, _, content = await gateways.post("k", path="/v1/keys", body=body, Content_Type=JSON)
            assert (status, orjson.loads(content)["code"]) == (409, code)
        first.cancel()
    assert (await names()).count("Once") == 1


async def test_a_secret_is_shown_again_to_who_repeats(database: Database, gateways: Gateways) -> None:
    database.add_hook(DoneWithItsEffect())
    body = orjson.dumps({"name": "Shown"})
    first, again = [await gateways.post("k", at=at, path="/v1/keys", body=body, Content_Type=JSON) for at in (0, 1)]
    assert (first[0], first[2]) == (201, again[2])
    assert orjson.loads(first[2])["key"].startswith("ant_")
    assert is_replayed(again[1])
    # What only reads, or refuses, leaves nothing behind.
    wrong = await gateways.post("w", path="/v1/keys", body=b'{"name": ""}', Content_Type=JSON)
    right = await gateways.post("w", path="/v1/keys", body=b'{"name": "a"}', Content_Type=JSON)
    assert (wrong[0], right[0]) == (422, 201)


async def test_a_secret_is_shown_again_to_no_other_key(database: Database, gateways: Gateways) -> None:
    database.add_hook(DoneWithItsEffect())
    lesser = orjson.dumps({"name": "Lesser", "role": "member", "owner": "organization", "scopes": ["keys:write"]})
    made = await gateways.post(path="/v1/keys", body=lesser, Content_Type=JSON)
    theirs, body = "Bearer " + orjson.loads(made[2])["key"], b'{"name": "All that I may"}'
    first = await gateways.post("k", path="/v1/keys", body=body, Content_Type=JSON)
    assert first[0] == 201
    status, headers, content = await gateways.post(
        "k", path="/v1/keys", body=body, Content_Type=JSON, Authorization=theirs
    )
    assert (status, orjson.loads(content)["code"]) == (422, "idempotency_key_reused")
    assert not is_replayed(headers)
    assert (await gateways.post("k", path="/v1/keys", body=body, Content_Type=JSON))[2] == first[2]


async def test_what_a_facade_asks_for_is_done_once(database: Database, bus: Bus, tenant: Tenant, maker: Maker) -> None:
    maker.media_type, maker.status = b"audio/mpeg", 503
    wanted = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
    async with (
        serving(maker) as url,
        running_gateway(database, bus, {"generation": url}) as gateway,
        aiohttp.ClientSession(gateway, headers=tenant.headers) as session,
    ):
        for count in ("0", "1", "2", "0"):
            counted = {"x-stainless-retry-count": count}
            async with session.post("/openai/v1/audio/speech", json=wanted, headers=counted) as response:
                assert response.status == maker.status
                await response.read()
            maker.status = 200
    first, *retries, other = maker.ids()
    assert retries == [first, first]
    assert other not in (first, None)
    assert len(maker.made) == 2
