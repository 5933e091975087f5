"""What of the ledger goes, what stays, and that the sums are those of the ledger; over simulated years."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.ids import new_id
from services.analytics import store, usecases
from services.analytics.consumers import record_usage
from services.analytics.domain import oldest_month
from services.analytics.domain.whose import Whose
from services.analytics.usecases.verifying import repair_sums, verify_sums
from tests.integration.analytics.conftest import NOW, Books

LEDGER = "select sum(quantity) from usage_metrics where org_id = :org and unit = 'characters'"
SUMS = (
    "select sum(characters) from usage_quarters where org_id = :org",
    "select sum(characters) from usage_daily where org_id = :org",
    "select sum(quantity) from usage_totals where org_id = :org and unit = 'characters'",
)


async def differences(books: Books, since: date = date(2000, 1, 1)) -> list[store.QuarterDifference]:
    async with books.database.transaction() as session:
        return [one for one in await store.list_quarter_differences(session, since) if one.org_id == books.org_id]


def some_events(books: Books) -> list[GenerationCompleted]:
    drawn = random.Random(11)
    people = [Whose(), *(Whose(new_id(), new_id(), new_id(), "wav") for _ in range(3))]
    events = []
    for number in range(200):
        at = NOW - timedelta(minutes=drawn.randrange(3_000))
        event = books.completed(characters=number + 9, seconds=number / 9, at=at, whose=drawn.choice(people))
        event.characters_spoken = drawn.choice([0, 4, event.characters])
        events.append(event)
    return events


async def test_quarters_are_the_ledger_after_events_in_any_order_and_number(books: Books) -> None:
    told = some_events(books) * 3
    random.Random(12).shuffle(told)
    while told:
        size = random.Random(len(told)).choice([1, 17, 60])
        await books.apply(record_usage, *told[:size])
        told = told[size:]
    assert await differences(books) == []
    assert await books.value("select count(*) from usage_quarters where org_id = :org") != 0
    assert await books.value(SUMS[0]) == await books.value(LEDGER)


@pytest.mark.parametrize(
    ("damage", "unit"),
    [
        ("update usage_quarters set characters = characters + 1 where org_id = :org", "characters"),
        ("update usage_quarters set generations = generations + 1 where org_id = :org", "generations"),
        ("delete from usage_quarters where org_id = :org", "audio_seconds"),
        ("update usage_quarters set key_id = gen_random_uuid() where org_id = :org", "characters"),
        ("delete from usage_metrics where org_id = :org and unit = 'audio_seconds'", "audio_seconds"),
    ],
)
async def test_what_differs_from_the_ledger_is_found(books: Books, damage: str, unit: str) -> None:
    await books.apply(record_usage, books.completed(at=NOW - timedelta(hours=1)))
    assert await differences(books) == []
    async with books.database.transaction(books.org_id) as session:
        await session.execute(text(damage), {"org": books.org_id})
    assert unit in {one.unit for one in await differences(books)}
    found = [one for one in await verify_sums(books.database) if one.org_id == books.org_id]
    assert "quarters" in {one.what for one in found}
    await repair_sums(books.database, found)
    assert await differences(books) == []
    assert await differences(books, NOW.date() + timedelta(days=1)) == []


def moved(books: Books, now: datetime) -> Books:
    clock: Callable[[], datetime] = lambda: now  # noqa: E731 - a clock that stands
    return replace(books, deps=replace(books.deps, clock=clock, ledger_months=3))


async def test_over_a_year_old_months_go_and_what_they_add_up_to_stays(books: Books) -> None:
    # In years that no other test writes about.
    for month in range(1, 13):
        now = datetime(2008, month, 9, tzinfo=UTC)
        books = moved(books, now)
        await usecases.tend_partitions(books.deps)
        await usecases.tend_partitions(books.deps)
        await books.apply(record_usage, books.completed(characters=month, at=now))
        assert await books.value(LEDGER) == sum(range(max(1, month - 3), month + 1))
        for query in SUMS:
            assert await books.value(query) == sum(range(1, month + 1))
        assert await differences(books) == []
    left = (
        "select array_agg(relname::text order by relname) from pg_class where relname ~ '^usage_metrics_2008[0-9]{2}$'"
    )
    assert await books.value(left) == [f"usage_metrics_2008{month:02}" for month in range(9, 13)]


async def test_late_lines_without_a_partition_go_as_well(books: Books) -> None:
    books = moved(books, datetime(2008, 12, 9, tzinfo=UTC))
    await books.apply(record_usage, books.completed(characters=5, at=datetime(2008, 2, 1, tzinfo=UTC)))
    assert await books.value(LEDGER) == 5
    await usecases.tend_partitions(books.deps)
    assert await books.value(LEDGER) is None
    assert await books.value(SUMS[0]) == 5


def test_the_oldest_month_is_so_many_before_this_one() -> None:
    assert oldest_month(date(2026, 11, 21), 25) == date(2024, 10, 1)
    assert oldest_month(date(2026, 1, 31), 1) == date(2025, 12, 1)
    assert oldest_month(date(2026, 12, 31), 12) == date(2025, 12, 1)
