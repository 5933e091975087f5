"""Requests with an `Idempotency-Key`, at two gateways on one database, in front of a service that makes things."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import uuid4

import aiohttp
import orjson
import pytest
from sqlalchemy import text
from starlette.types import Receive, Scope, Send

from libs.database import Database
from libs.ids import parse_id
from libs.messaging import Bus
from libs.web.once import MADE_HEADER, RESOURCE_HEADER
from services.gateway.adapters.sealing import Sealing
from services.gateway.domain.idempotency import KEPT_FOR, LEASE, STORED_BYTES
from services.gateway.domain.routes import MIB, ROUTES
from services.gateway.store.idempotency import Taken
from services.gateway.usecases.idempotency import DoneWithItsEffect, Headers, Requests
from tests.integration.gateway.conftest import IDENTITY_KEYS, Tenant, new_tenant, running_gateway
from tests.integration.gateway.serving import Seen, Service, answer, read_body, serving, until
from tests.support.polling import eventually

JSON = "application/json"
SECRET = "shown-once-and-kept-nowhere"


@dataclass
class Maker:
    """A service that makes one thing for each id, and does what else the test says."""

    made: dict[str, bytes] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    status: int = 201
    media_type: bytes = b"application/json"
    size: int = 0
    breaks_off: bool = False
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    def __post_init__(self) -> None:
        self.goes_on.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        seen = Seen(scope["method"], scope["path"], scope["query_string"], headers)
        seen.body = await read_body(receive)
        self.seen.append(seen)
        if self.status < 300:
            self.made.setdefault(seen.header(RESOURCE_HEADER) or str(uuid4()), seen.body)
        # Not sooner: what is asked to wait has already made it.
        self.waiting += 1
        await self.goes_on.wait()
        self.waiting -= 1
        if self.breaks_off:
            raise ConnectionResetError
        content = orjson.dumps({"id": seen.header(RESOURCE_HEADER), "secret": SECRET, "more": "x" * self.size})
        told = [(b"content-type", self.media_type), (b"location", b"/v1/made"), (b"x-antiphon-secret", b"1")]
        await answer(send, content, self.status, told)

    def ids(self) -> list[str | None]:
        return [one.header(RESOURCE_HEADER) for one in self.seen]


@dataclass
class Gateways:
    """Two replicas, for one client, and the clock by which both go."""

    urls: list[str]
    requests: list[Requests]
    session: aiohttp.ClientSession
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def post(
        self, key: str | None = None, *, at: int = 0, body: object = "{}", path: str = "/v1/voices", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["Idempotency-Key"] = key
        async with self.session.post(self.urls[at] + path, data=body, headers=named) as response:
            told = {name.lower(): value for name, value in response.headers.items()}
            return response.status, told, await response.read()


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
async def gateways(database: Database, bus: Bus, tenant: Tenant, maker: Maker) -> AsyncIterator[Gateways]:
    async with AsyncExitStack() as stack:
        urls = {"voice": await stack.enter_async_context(serving(maker))}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=tenant.headers))
        both = Gateways([], [], session)
        for _ in range(2):
            requests = Requests(database, both.now, Sealing(IDENTITY_KEYS))
            both.requests.append(requests)
            both.urls.append(await stack.enter_async_context(running_gateway(database, bus, urls, requests=requests)))
        yield both


def _replayed(headers: dict[str, str]) -> bool:
    return headers.get("idempotency-replayed") == "true"


async def test_a_repetition_gets_the_same_answer_from_any_replica(gateways: Gateways, maker: Maker) -> None:
    first = await gateways.post("k", body='{"a": 1}')
    again = await gateways.post("k", body='{"a": 1}', at=1)
    assert (first[0], first[2]) == (again[0], again[2])
    assert first[0] == 201
    assert (_replayed(first[1]), _replayed(again[1])) == (False, True)
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
    assert not _replayed(theirs[1])
    async with database.transaction(other.org_id) as session:
        assert (await session.execute(text("select count(*) from idempotency_records"))).scalar_one() == 1


async def test_a_key_of_another_user_of_the_organisation_is_the_same_key(gateways: Gateways, maker: Maker) -> None:
    """As with a key that was rotated between a request and its repetition: the scope is the organisation."""
    first = await gateways.post("k")
    assert _replayed((await gateways.post("k", User_Agent="another"))[1])
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
    assert _replayed((await gateways.post("k", at=1))[1])
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
    assert (second[0], _replayed(second[1])) == (201, False)
    assert maker.ids()[0] == maker.ids()[1]
    assert _replayed((await gateways.post("k"))[1])


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
    assert (_replayed(first[1]), _replayed(again[1])) == (False, True)
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
        return _replayed((await gateways.post("k", at=1))[1])

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
    assert _replayed((await gateways.post("~!" * 127 + "k"))[1])


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
    assert _replayed((await gateways.post("k", body=form("a"), at=1))[1])
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


async def test_without_a_key_our_own_clients_mean_what_they_say_twice(gateways: Gateways, maker: Maker) -> None:
    await gateways.post()
    await gateways.post()
    assert maker.ids() == [None, None]


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
    assert _replayed((await gateways.post("k"))[1])
    await gateways.post("newer")
    gateways.ahead = KEPT_FOR
    # Also before the row is gone, and for another request.
    assert (await gateways.post("k", body="other"))[0] == 201
    gateways.ahead = 2 * KEPT_FOR - timedelta(seconds=30)
    assert not await gateways.requests[0].expire_some()
    assert not _replayed((await gateways.post("newer"))[1])


@pytest.fixture
async def facade(database: Database, bus: Bus, tenant: Tenant, maker: Maker) -> AsyncIterator[Gateways]:
    """A gateway whose voices are another vendor's routes, so that requests come without keys."""
    theirs = [replace(route, dialect="openai") if route.template == "/v1/voices" else route for route in ROUTES]
    async with AsyncExitStack() as stack:
        urls = {"voice": await stack.enter_async_context(serving(maker))}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=tenant.headers))
        gateways = Gateways([], [], session)
        for _ in range(2):
            requests = Requests(database, gateways.now, Sealing(IDENTITY_KEYS))
            gateways.requests.append(requests)
            gateway = running_gateway(database, bus, urls, routes=theirs, requests=requests)
            gateways.urls.append(await stack.enter_async_context(gateway))
        yield gateways


async def test_a_library_that_counts_its_retries_does_nothing_twice(facade: Gateways, maker: Maker) -> None:
    await facade.post(x_stainless_retry_count="0")
    await facade.post(x_stainless_retry_count="1", at=1)
    await facade.post(x_stainless_retry_count="2")
    assert len(maker.made) == 1
    # Said again it is another request, however soon.
    await facade.post(x_stainless_retry_count="0")
    assert len(maker.made) == 2
    # A retry that is heard first is the first.
    await facade.post(x_stainless_retry_count="1", body="other")
    assert len(maker.made) == 3


async def test_a_retry_joins_what_is_still_running(facade: Gateways, maker: Maker) -> None:
    for counts in (True, False):
        maker.goes_on.clear()
        first = asyncio.create_task(facade.post(x_stainless_retry_count="0") if counts else facade.post())
        await until(lambda: maker.waiting == 1)
        second = asyncio.create_task(facade.post(x_stainless_retry_count="1", at=1) if counts else facade.post(at=1))
        await until(lambda: maker.waiting == 2)
        maker.goes_on.set()
        assert (await first)[0] == (await second)[0] == 201
    assert len(maker.seen) == 4
    assert len(maker.made) == 2


async def test_what_was_answered_is_asked_for_anew(facade: Gateways, maker: Maker) -> None:
    await facade.post()
    await facade.post(at=1)
    assert len(maker.made) == 2


@pytest.mark.parametrize("trouble", ["left", "500", "broken off"])
async def test_what_was_cut_off_is_found_by_the_same_client(facade: Gateways, maker: Maker, trouble: str) -> None:
    if trouble == "left":
        maker.goes_on.clear()
        first = asyncio.create_task(facade.post())
        await until(lambda: maker.waiting == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        maker.goes_on.set()
    else:
        maker.status, maker.breaks_off = (500, False) if trouble == "500" else (201, True)
        await facade.post()
        maker.status, maker.breaks_off = 201, False
    await facade.post(at=1)
    assert maker.ids()[0] == maker.ids()[1]
    assert len(maker.made) == 1
    # Answered in full, it is over.
    await facade.post()
    assert len(maker.made) == 2


async def test_another_client_is_another_client(facade: Gateways, maker: Maker, database: Database) -> None:
    maker.status = 503
    await facade.post(User_Agent="a")
    await facade.post(User_Agent="b")
    await facade.post(User_Agent="a", body="other")
    assert len(set(maker.ids())) == 3


async def test_what_was_cut_off_is_forgotten_in_time(facade: Gateways, maker: Maker) -> None:
    maker.status = 503
    await facade.post()
    facade.ahead = timedelta(minutes=2, seconds=1)
    await facade.post()
    assert maker.ids()[0] != maker.ids()[1]


@pytest.mark.usefixtures("voice_running")
async def test_a_client_cannot_name_the_id(client: aiohttp.ClientSession, voice: Service) -> None:
    await client.post("/v1/voices", headers={RESOURCE_HEADER: str(uuid4()), MADE_HEADER: "true"})
    assert (voice.last.header(RESOURCE_HEADER), voice.last.header(MADE_HEADER)) == (None, None)


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
    assert _replayed(again[1])
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
    assert not _replayed(headers)
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
