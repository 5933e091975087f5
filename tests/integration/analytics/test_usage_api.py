"""GET /v1/usage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest

from libs.ids import new_id
from libs.web import Caller, IdentityVerifier, create_app
from libs.web.identity import HEADER, sign
from services.analytics.api import PROBLEMS, router
from services.analytics.consumers import record_usage
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
    await books.apply(record_usage, books.completed(characters=11, seconds=2.5), books.completed(characters=9))
    status, answer = await ask(url, Caller(books.org_id, new_id()))
    assert status == 200
    day = {"date": NOW.date().isoformat(), "characters": 20, "audio_seconds": 4.0, "generations": 2}
    assert answer["items"] == [day]
    assert answer["totals"] == {"characters": 20, "audio_seconds": 4.0, "generations": 2}
    _, other = await ask(url, Caller(new_id(), new_id()))
    assert other["items"] == []
    assert (await ask(url, None))[0] == 401


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2026-02-30"},
        {"from": "yesterday"},
        {"from": "2026-02-01", "to": "2026-01-01"},
        {"from": "2020-01-01", "to": "2026-01-01"},
    ],
)
async def test_bad_dates_name_the_field(books: Books, url: str, params: dict[str, str]) -> None:
    status, answer = await ask(url, Caller(books.org_id, new_id()), **params)
    assert (status, answer["code"]) == (422, "invalid_request")
    assert answer["errors"][0]["field"] == "from"  # type: ignore[index]


async def test_a_range_in_the_past_leaves_today_out(books: Books, url: str) -> None:
    await books.apply(record_usage, books.completed())
    _, answer = await ask(url, Caller(books.org_id, new_id()), **{"from": "2020-01-01", "to": "2020-01-31"})
    assert answer["items"] == []
    assert datetime.now(UTC).year >= 2026
