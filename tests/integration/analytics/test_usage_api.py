"""GET /v1/usage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveRequest
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.ids import new_id
from libs.web import Caller, IdentityVerifier, create_app
from libs.web.identity import HEADER, sign
from services.analytics import domain, usecases
from services.analytics.api import PROBLEMS, router
from services.analytics.consumers import begin_subscriptions, record_usage
from tests.integration.analytics.conftest import NOW, Books
from tests.support.http import serving

KEY = b"k" * 32


@pytest.fixture
async def url(books: Books) -> AsyncIterator[str]:
    async def ready() -> dict[str, bool]:
        return {}

    app = create_app(
        "analytics",
        router,
        identity=IdentityVerifier("analytics", KEY),
        problems=PROBLEMS,
        readiness=ready,
        deps=books.deps,
    )
    async with serving(app) as address:
        yield f"{address}/v1/usage"


async def ask(url: str, caller: Caller | None, **params: str) -> tuple[int, dict[str, object]]:
    headers = {HEADER: sign(caller, "analytics", KEY)} if caller else {}
    async with aiohttp.ClientSession() as session, session.get(url, params=params, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_usage_is_told_to_its_organisation_alone(books: Books, url: str) -> None:
    shared = books.completed(characters=30, seconds=1.5)
    shared.characters_spoken = 0
    await books.apply(record_usage, books.completed(characters=11, seconds=2.5), books.completed(characters=9), shared)
    status, answer = await ask(url, Caller(books.org_id, new_id()))
    assert status == 200
    day = {"date": NOW.date().isoformat(), "characters": 20, "audio_seconds": 5.5, "generations": 3}
    cached = {"characters_cached": 30}
    assert answer["items"] == [day | cached]
    assert answer["totals"] == {"characters": 20, "audio_seconds": 5.5, "generations": 3} | cached
    _, other = await ask(url, Caller(new_id(), new_id()))
    assert other["items"] == []
    assert (await ask(url, None))[0] == 401


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2026-02-30"},
        {"from": "yesterday"},
        {"from": "0"},
        {"from": "2026-02-01T00:00:00"},
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"from": "2020-01-01", "to": "2026-01-01"},
    ],
)
async def test_bad_dates_name_the_field(books: Books, url: str, params: dict[str, str]) -> None:
    status, answer = await ask(url, Caller(books.org_id, new_id()), **params)
    assert (status, answer["code"]) == (422, "invalid_request")
    assert answer["errors"][0]["field"] == "from"  # type: ignore[index]


@pytest.mark.parametrize("day", ["0001-01-05", "9999-12-31"])
async def test_the_ends_of_the_calendar_are_days_too(books: Books, url: str, day: str) -> None:
    status, answer = await ask(url, Caller(books.org_id, new_id()), to=day)
    assert (status, answer["items"]) == (200, [])


async def test_the_period_says_what_is_used_held_and_left(books: Books, url: str) -> None:
    created = OrganizationCreated(org_id=str(books.org_id), name="x", plan="pro", created_at=NOW)
    await books.apply(begin_subscriptions, created)
    await books.apply(record_usage, books.completed(characters=120))
    held = ReserveRequest(reservation_id=str(new_id()), org_id=str(books.org_id), characters=30)
    assert (await usecases.reserve(books.deps, held)).remaining == 500_000 - 150
    _, answer = await ask(url, Caller(books.org_id, new_id()))
    resets = domain.end_of(domain.period_of(NOW)).isoformat().replace("+00:00", "Z")
    assert answer["plan"] == "pro"
    assert answer["period"] == {
        "characters_used": 120,
        "characters_reserved": 30,
        "characters_limit": 500_000,
        "resets_at": resets,
    }
    assert answer["next_cursor"] is None


async def test_a_range_in_the_past_leaves_today_out(books: Books, url: str) -> None:
    await books.apply(record_usage, books.completed())
    _, answer = await ask(url, Caller(books.org_id, new_id()), **{"from": "2020-01-01", "to": "2020-01-31"})
    assert answer["items"] == []
    assert datetime.now(UTC).year >= 2026
