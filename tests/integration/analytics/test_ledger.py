"""What was spoken is billed exactly once, in whatever order the events come."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.contracts.antiphon.generation.v1.events_pb2 import (
    GenerationCanceled,
    GenerationCompleted,
    GenerationDeleted,
    GenerationFailed,
)
from libs.ids import new_id
from services.analytics.consumers import (
    begin_subscriptions,
    record_usage,
    release_canceled,
    release_deleted,
    release_failed,
)
from tests.integration.analytics.conftest import NOW, Books

LEDGER = "select sum(quantity) from usage_metrics where org_id = :org and unit = 'characters'"
TOTAL = "select sum(quantity) from usage_totals where org_id = :org and unit = 'characters'"
DAILY = "select sum(characters) from usage_daily where org_id = :org"
CACHED = "select sum(quantity) from {table} where org_id = :org and unit = 'characters_cached'"
STATUS = "select max(status) from reservations where org_id = :org"


def failed(books: Books, generation_id: str) -> GenerationFailed:
    return GenerationFailed(generation_id=generation_id, org_id=str(books.org_id), code="x", failed_at=NOW)


def canceled(books: Books, generation_id: str) -> GenerationCanceled:
    return GenerationCanceled(generation_id=generation_id, org_id=str(books.org_id), canceled_at=NOW)


def deleted(books: Books, generation_id: str) -> GenerationDeleted:
    return GenerationDeleted(generation_id=generation_id, org_id=str(books.org_id), deleted_at=NOW)


async def test_a_completed_generation_is_in_the_ledger_once_however_often_it_is_told(books: Books) -> None:
    event = books.completed(characters=42, seconds=3.1234)
    for _ in range(3):
        await books.apply(record_usage, event)
    for query in (LEDGER, TOTAL, DAILY):
        assert await books.value(query) == 42
    assert await books.value("select audio_seconds from usage_daily where org_id = :org") == Decimal("3.123")
    assert await books.value("select generations from usage_daily where org_id = :org") == 1
    assert await books.value(STATUS) == "settled"
    told = await books.value(
        "select count(*) from outbox where type_name = 'antiphon.analytics.v1.UsageRecorded' and org_id = :org"
    )
    assert told == 2


@pytest.mark.parametrize(("spoken", "cached"), [(42, 0), (0, 42), (30, 12)])
async def test_what_was_spoken_before_is_counted_apart(books: Books, spoken: int, cached: int) -> None:
    event = books.completed(characters=42)
    event.characters_spoken = spoken
    for _ in range(2):
        await books.apply(record_usage, event)
    for query in (LEDGER, TOTAL, DAILY):
        assert await books.value(query) == spoken
    assert await books.value("select characters_cached from usage_daily where org_id = :org") == cached
    for table in ("usage_metrics", "usage_totals"):
        found = await books.value(CACHED.format(table=table))
        assert (found or 0) == cached
    told = "select count(*) from outbox where type_name = 'antiphon.analytics.v1.UsageRecorded' and org_id = :org"
    assert await books.value(told) == (3 if cached else 2)


async def test_one_day_adds_up_what_was_spoken_and_what_was_there(books: Books) -> None:
    fresh, shared, old = books.completed(characters=10), books.completed(characters=20), books.completed(characters=5)
    fresh.characters_spoken, shared.characters_spoken = 10, 0
    await books.apply(record_usage, fresh, shared)
    await books.apply(record_usage, old)
    assert await books.value(DAILY) == 15
    assert await books.value("select characters_cached from usage_daily where org_id = :org") == 20
    assert await books.value("select generations from usage_daily where org_id = :org") == 3


async def test_a_large_batch_over_days_and_organisations_adds_up(books: Books) -> None:
    other = Books(books.deps, new_id())
    events: list[GenerationCompleted] = []
    for number in range(300):
        owner = books if number % 3 else other
        events.append(owner.completed(characters=number + 1, at=NOW - timedelta(days=number % 5)))
    await books.apply(record_usage, *events)
    for owner in (books, other):
        expected = sum(event.characters for event in events if event.org_id == str(owner.org_id))
        for query in (LEDGER, TOTAL, DAILY):
            assert await owner.value(query) == expected
    assert await books.value("select count(*) from usage_daily where org_id = :org") == 5


@pytest.mark.parametrize("completed_first", [True, False])
async def test_deleting_never_unbills_and_never_prevents_billing(books: Books, completed_first: bool) -> None:
    event = books.completed(characters=7)
    steps = [(record_usage, event), (release_deleted, deleted(books, event.generation_id))]
    for handler, one in steps if completed_first else reversed(steps):
        await books.apply(handler, one)
    assert await books.value(LEDGER) == 7
    assert await books.value(STATUS) == "settled"


@pytest.mark.parametrize("how", ["failed", "canceled"])
async def test_what_is_not_made_releases_its_reservation(books: Books, how: str) -> None:
    generation_id = new_id()
    async with books.database.transaction(books.org_id) as session:
        await session.execute(
            text("insert into reservations values (:id, :org, 50, 'held', :until)"),
            {"id": generation_id, "org": books.org_id, "until": NOW + timedelta(hours=1)},
        )
    if how == "failed":
        await books.apply(release_failed, failed(books, str(generation_id)))
    else:
        await books.apply(release_canceled, canceled(books, str(generation_id)))
    assert await books.value(STATUS) == "released"
    assert await books.value(LEDGER) is None


@pytest.mark.parametrize("completed_first", [True, False])
async def test_what_is_canceled_too_late_or_retried_is_billed_once(books: Books, completed_first: bool) -> None:
    event = books.completed(characters=7)
    steps = [(record_usage, event), (release_canceled, canceled(books, event.generation_id))]
    for handler, one in steps if completed_first else reversed(steps):
        await books.apply(handler, one)
    assert await books.value(LEDGER) == 7
    assert await books.value(STATUS) == "settled"


async def test_told_twice_at_once_under_two_ids_it_is_billed_once(books: Books) -> None:
    events = [books.completed(characters=3) for _ in range(20)]
    await asyncio.gather(*(books.apply(record_usage, *events) for _ in range(4)))
    for query in (LEDGER, TOTAL, DAILY):
        assert await books.value(query) == 60


async def test_an_organisation_begins_with_its_plan_and_keeps_it(books: Books) -> None:
    for plan in ("pro", "free"):
        created = OrganizationCreated(org_id=str(books.org_id), name="x", plan=plan, created_at=NOW)
        await books.apply(begin_subscriptions, created)
    assert await books.value("select plan from subscriptions where org_id = :org") == "pro"


async def test_entries_lie_in_the_partition_of_their_month(books: Books) -> None:
    await books.make_partitions(datetime.now(UTC).date(), 3)
    await books.apply(record_usage, books.completed())
    month = f"usage_metrics_{datetime.now(UTC):%Y%m}"
    found = await books.value("select max(tableoid::regclass::text) from usage_metrics where org_id = :org")
    assert found == month
    ahead = await books.value(
        "select count(*) from generate_series(0, 3) ahead where to_regclass("
        "'usage_metrics_' || to_char(now() at time zone 'UTC' + make_interval(months => ahead), 'YYYYMM')) is not null"
    )
    assert ahead == 4


@pytest.mark.parametrize("table", ["usage_metrics", "usage_totals", "usage_daily", "reservations", "subscriptions"])
async def test_another_organisation_sees_and_changes_nothing(books: Books, table: str) -> None:
    created = OrganizationCreated(org_id=str(books.org_id), name="x", plan="pro", created_at=NOW)
    await books.apply(begin_subscriptions, created)
    await books.apply(record_usage, books.completed())
    count = f"select count(*) from {table} where org_id = :org"  # noqa: S608, the names stand above
    assert await books.value(count)
    assert await books.value(count, UUID(int=1)) == 0
    async with books.database.transaction(new_id()) as session:
        done = await session.execute(
            text(f"delete from {table} where org_id = :org returning 1"),  # noqa: S608, as above
            {"org": books.org_id},
        )
        assert done.all() == []
