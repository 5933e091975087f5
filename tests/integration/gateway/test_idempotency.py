"""Requests with an `Idempotency-Key`, at two gateways on one database, in front of a service that makes things."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from io import BytesIO

import aiohttp
import orjson
import pytest
from sqlalchemy import text

from libs.database import Database
from libs.ids import parse_id
from libs.web.once import MADE_HEADER
from services.gateway.domain.idempotency import KEPT_FOR, LEASE, STORED_BYTES
from services.gateway.domain.routes import MIB
from tests.integration.gateway.conftest import Tenant, new_tenant
from tests.integration.gateway.repeating import SECRET, Gateways, Maker, is_replayed
from tests.integration.gateway.serving import until
from tests.support.polling import eventually


async def test_a_repetition_gets_the_same_answer_from_any_replica(gateways: Gateways, maker: Maker) -> None:
    first = await gateways.post("k", body='{"a": 1}')
    again = await gateways.post("k", body='{"a": 1}', at=1)
    assert (first[0], first[2]) == (again[0], again[2])
    assert first[0] == 201
    assert (is_replayed(first[1]), is_replayed(again[1])) == (False, True)
    differing = {"x-request-id", "idempotency-replayed", "ratelimit"}
    kept = {name: value for name, value in first[1].items() if name not in differing}
    assert kept == {name: value for name, value in again[1].items() if name not in differing}
    assert kept["location"] == "/v1/made"
    assert len(maker.seen) == 1
    assert maker.seen[0].header("idempotency-key") is None
    assert maker.seen[0].body == b'{"a": 1}'
    resource = parse_id(maker.ids()[0] or "")
    assert resource is not None
    assert resource.version == 7


async def test_a_key_belongs_to_one_request(gateways: Gateways, maker: Maker) -> None:
    await gateways.post("k", body="1")
    for body, path in (("2", "/v1/voices"), ("1", "/v1/voices?dry=1"), ("1", "/v1/search")):
        status, _, content = await gateways.post("k", body=body, path=path, at=1)
        assert (status, orjson.loads(content)["code"]) == (422, "idempotency_key_reused")
    assert len(maker.seen) == 1


async def test_organisations_do_not_share_keys(gateways: Gateways, maker: Maker, database: Database) -> None:
    other = await new_tenant(database)
    first = await gateways.post("k")
    theirs = await gateways.post("k", Authorization=f"Bearer {other.key}")
    assert first[2] != theirs[2]
    assert not is_replayed(theirs[1])
    async with database.transaction(other.org_id) as session:
        assert (await session.execute(text("select count(*) from idempotency_records"))).scalar_one() == 1


async def test_a_key_of_another_user_of_the_organisation_is_the_same_key(gateways: Gateways, maker: Maker) -> None:
    """As with a key that was rotated between a request and its repetition: the scope is the organisation."""
    first = await gateways.post("k")
    assert is_replayed((await gateways.post("k", User_Agent="another"))[1])
    assert len(maker.seen) == 1
    assert first[0] == 201


async def test_what_is_still_being_done_is_refused_for_a_moment(gateways: Gateways, maker: Maker) -> None:
    maker.goes_on.clear()
    first = asyncio.create_task(gateways.post("k"))
    await until(lambda: maker.waiting == 1)
    status, headers, content = await gateways.post("k", at=1)
    assert (status, orjson.loads(content)["code"], headers["retry-after"]) == (409, "request_still_running", "1")
    maker.goes_on.set()
    assert (await first)[0] == 201
    assert is_replayed((await gateways.post("k", at=1))[1])
    assert len(maker.seen) == 1


async def test_what_takes_long_stays_ours(gateways: Gateways, maker: Maker) -> None:
    maker.goes_on.clear()
    first = asyncio.create_task(gateways.post("k"))
    await until(lambda: maker.waiting == 1)
    for _ in range(3):
        gateways.ahead += LEASE * 0.9
        assert (await gateways.post("k", at=1))[0] == 409
        await gateways.requests[0].renew_running(since=time.monotonic())
    maker.goes_on.set()
    assert (await first)[0] == 201
    assert len(maker.seen) == 1


async def test_what_a_silent_gateway_was_doing_is_done_by_the_next_with_the_same_id(
    gateways: Gateways, maker: Maker
) -> None:
    maker.goes_on.clear()
    first = asyncio.create_task(gateways.post("k"))
    await until(lambda: maker.waiting == 1)
    gateways.ahead = LEASE
    second = asyncio.create_task(gateways.post("k", at=1))
    await until(lambda: maker.waiting == 2)
    maker.goes_on.set()
    assert (await second)[0] == 201
    # It was silent, not dead: what it brings is not what is recorded, so its client asks again.
    assert (await first)[0] in (409, 201)
    assert len(maker.made) == 1
    assert maker.ids()[0] == maker.ids()[1]
    assert (await gateways.post("k"))[2] == (await second)[2]
    assert len(maker.seen) == 2


async def test_who_was_overtaken_does_not_answer(
    gateways: Gateways, maker: Maker, database: Database, tenant: Tenant
) -> None:
    maker.goes_on.clear()
    first = asyncio.create_task(gateways.post("k"))
    await until(lambda: maker.waiting == 1)
    async with database.transaction(tenant.org_id) as session:
        await session.execute(text("update idempotency_records set attempt = gen_random_uuid()"))
    maker.goes_on.set()
    assert (await first)[0] == 409


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_failure_is_repeated_with_the_same_id(gateways: Gateways, maker: Maker, status: int) -> None:
    maker.status = status
    assert (await gateways.post("k"))[0] == status
    maker.status = 201
    second = await gateways.post("k", at=1)
    assert (second[0], is_replayed(second[1])) == (201, False)
    assert maker.ids()[0] == maker.ids()[1]
    assert is_replayed((await gateways.post("k"))[1])


async def test_a_service_that_dies_after_its_work_is_asked_again_with_the_same_id(
    gateways: Gateways, maker: Maker
) -> None:
    maker.breaks_off = True
    assert (await gateways.post("k"))[0] in (500, 502)
    maker.breaks_off = False
    assert (await gateways.post("k", at=1))[0] == 201
    assert len(maker.made) == 1


@pytest.mark.parametrize("status", [400, 402, 404, 409, 422, 429])
async def test_what_was_refused_may_be_put_right_under_its_key(gateways: Gateways, maker: Maker, status: int) -> None:
    maker.status = status
    assert (await gateways.post("k", body="wrong"))[0] == status
    maker.status = 201
    assert (await gateways.post("k", body="right", at=1))[0] == 201
    assert maker.ids()[0] != maker.ids()[1]


async def test_a_gateway_that_cannot_ask_has_done_nothing(gateways: Gateways) -> None:
    status, _, content = await gateways.post("k", path="/v1/search")
    assert (status, orjson.loads(content)["code"]) == (503, "service_unavailable")


@pytest.mark.parametrize(("media_type", "size"), [(b"audio/mpeg", 0), (b"application/json", STORED_BYTES)])
async def test_what_is_too_long_to_be_kept_is_made_again_from_what_was_made(
    gateways: Gateways, maker: Maker, media_type: bytes, size: int
) -> None:
    maker.media_type, maker.size = media_type, size
    first = await gateways.post("k")
    again = await gateways.post("k", at=1)
    assert (first[0], first[2]) == (again[0], again[2])
    assert (is_replayed(first[1]), is_replayed(again[1])) == (False, True)
    assert len(maker.made) == 1
    assert [one.header(MADE_HEADER) for one in maker.seen] == [None, "true"]


async def test_a_client_that_leaves_finds_the_answer_later(gateways: Gateways, maker: Maker) -> None:
    maker.goes_on.clear()
    first = asyncio.create_task(gateways.post("k"))
    await until(lambda: maker.waiting == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    maker.goes_on.set()

    async def is_recorded() -> bool:
        return is_replayed((await gateways.post("k", at=1))[1])

    await eventually(is_recorded, within=5, what="the answer that nobody waited for")
    assert len(maker.seen) == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "ключ", "k\xa0"])
async def test_what_is_no_key_is_refused_by_name(gateways: Gateways, maker: Maker, key: str) -> None:
    status, _, content = await gateways.post(key)
    problem = orjson.loads(content)
    assert (status, problem["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert "255" in problem["detail"]
    assert maker.seen == []


async def test_the_longest_key_is_one(gateways: Gateways) -> None:
    assert (await gateways.post("~!" * 127 + "k"))[0] == 201
    assert is_replayed((await gateways.post("~!" * 127 + "k"))[1])


async def test_two_keys_are_none(gateways: Gateways, maker: Maker) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    async with gateways.session.post(gateways.urls[0] + "/v1/voices", headers=headers) as response:
        assert response.status == 422
    assert maker.seen == []


async def test_a_form_is_the_same_whatever_its_boundary(gateways: Gateways, maker: Maker) -> None:
    def form(name: str) -> aiohttp.FormData:
        data = aiohttp.FormData()
        data.add_field("name", name)
        data.add_field("file", BytesIO(bytes(range(256)) * 20_000), filename="a.wav", content_type="audio/wav")
        return data

    assert (await gateways.post("k", body=form("a")))[0] == 201
    assert is_replayed((await gateways.post("k", body=form("a"), at=1))[1])
    assert (await gateways.post("k", body=form("b"), at=1))[0] == 422
    assert len(maker.seen) == 1
    assert maker.seen[0].body.count(bytes(range(256))) == 20_000


async def test_a_long_body_passes_unchanged(gateways: Gateways, maker: Maker) -> None:
    content = bytes(range(256)) * (5 * MIB // 256)
    assert (await gateways.post("k", body=BytesIO(content)))[0] == 201
    assert maker.seen[0].body == content
    too_long = bytes(22 * MIB)
    assert (await gateways.post("other", body=BytesIO(too_long)))[0] == 413
    assert len(maker.seen) == 1


async def test_a_key_means_nothing_where_nothing_is_posted(gateways: Gateways, maker: Maker) -> None:
    maker.status = 200
    for _ in range(2):
        async with gateways.session.get(gateways.urls[0] + "/v1/voices", headers={"Idempotency-Key": "k"}) as response:
            assert response.status == 200
            assert "Idempotency-Replayed" not in response.headers
    assert len(maker.seen) == 2


async def test_answers_are_kept_unreadable(gateways: Gateways, tenant: Tenant, database: Database) -> None:
    await gateways.post("visible-key", body='{"text": "visible text"}')
    async with database.transaction(tenant.org_id) as session:
        row = (await session.execute(text("select r::text, answer from idempotency_records r"))).one()
    for hidden in (SECRET, "visible"):
        assert hidden.encode().hex() not in row[0]
        assert hidden not in row[0]
        assert hidden.encode() not in row[1]


async def test_a_key_is_forgotten_after_a_day(gateways: Gateways, maker: Maker, database: Database) -> None:
    await gateways.post("k")
    gateways.ahead = KEPT_FOR - timedelta(seconds=60)
    assert is_replayed((await gateways.post("k"))[1])
    await gateways.post("newer")
    gateways.ahead = KEPT_FOR
    # Also before the row is gone, and for another request.
    assert (await gateways.post("k", body="other"))[0] == 201
    gateways.ahead = 2 * KEPT_FOR - timedelta(seconds=30)
    assert not await gateways.requests[0].expire_some()
    assert not is_replayed((await gateways.post("newer"))[1])
