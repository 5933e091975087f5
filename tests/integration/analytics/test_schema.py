"""The ledger's partitions, who may look into them, and a history that goes both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from libs.database import migrate
from libs.ids import new_id
from services.analytics import store
from services.analytics.consumers import record_usage
from tests.integration.analytics.conftest import NOW, Books
from tests.support.schemas import objects_of
from tests.support.servers import Servers

WHERE = "select max(tableoid::regclass::text) from usage_metrics where org_id = :org"


async def test_months_are_made_ahead_over_a_year(books: Books) -> None:
    for month in range(1, 13):
        await books.make_partitions(date(2031, month, 15), 1)
        await books.make_partitions(date(2031, month, 28), 1)
        await books.apply(record_usage, books.completed(characters=month, at=datetime(2031, month, 28, tzinfo=UTC)))
        assert (
            await books.value(
                "select tableoid::regclass::text from usage_metrics where org_id = :org and unit = 'characters' "
                "order by created_at desc limit 1"
            )
            == f"usage_metrics_2031{month:02}"
        )
    assert (
        await books.value("select sum(quantity) from usage_metrics where org_id = :org and unit = 'characters'") == 78
    )


async def test_what_came_before_its_partition_moves_into_it(books: Books) -> None:
    await books.apply(record_usage, books.completed(characters=5, at=datetime(2033, 7, 31, 23, 59, 59, tzinfo=UTC)))
    assert await books.value(WHERE) == "usage_metrics_default"
    await asyncio.gather(*(books.make_partitions(date(2033, 6, 1), 3) for _ in range(4)))
    assert await books.value(WHERE) == "usage_metrics_203307"
    assert await books.value("select count(*) from usage_metrics where org_id = :org") == 2


async def test_partitions_are_reached_through_the_ledger_alone(books: Books) -> None:
    await books.make_partitions(NOW.date(), 3)
    await books.apply(record_usage, books.completed(), books.completed(at=datetime(1999, 1, 1, tzinfo=UTC)))
    for partition in (f"usage_metrics_{NOW:%Y%m}", "usage_metrics_default"):
        assert await books.value(f"select count(*) from {partition}") == 0  # noqa: S608 - the names stand above
    assert await books.value("select count(*) from usage_metrics") == 4


async def test_the_ledger_refuses_the_same_use_twice(books: Books) -> None:
    await books.apply(record_usage, books.completed())
    with pytest.raises(IntegrityError, match=r"_resource_id_unit_created_at_"):
        async with books.database.transaction(books.org_id) as session:
            await session.execute(
                text(
                    "insert into usage_metrics select :id, event_id, org_id, user_id, action, quantity, unit, "
                    "resource_id, metadata, created_at from usage_metrics where unit = 'characters'"
                ),
                {"id": new_id()},
            )


async def test_days_of_before_sharing_say_that_nothing_was_there_already(servers: Servers, books: Books) -> None:
    wanted = servers.service_database("analytics")
    url = servers.url("owner", "analytics")
    await asyncio.to_thread(migrate.downgrade, "analytics", url, wanted.owner_password, "0003")
    async with books.database.transaction(books.org_id) as session:
        await session.execute(
            text("insert into usage_daily values (:org, :day, 70, 5.5, 2)"), {"org": books.org_id, "day": NOW.date()}
        )
    await asyncio.to_thread(migrate.upgrade, "analytics", url, wanted.owner_password)
    shared = books.completed(characters=30)
    shared.characters_spoken = 0
    await books.apply(record_usage, shared)
    async with books.database.transaction(books.org_id) as session:
        (day,) = await store.list_days(session, books.org_id, NOW.date(), NOW.date())
    assert [int(day.characters), int(day.characters_cached), day.generations] == [70, 30, 3]


async def test_migrations_go_up_down_and_up(servers: Servers, migrated: Callable[[str], None]) -> None:
    await asyncio.to_thread(migrated, "analytics")
    wanted = servers.service_database("analytics")
    url = servers.url("owner", "analytics")
    for revision in ("0001", "base"):
        await asyncio.to_thread(migrate.downgrade, "analytics", url, wanted.owner_password, revision)
    assert await objects_of(url, wanted.owner_password) == []
    await asyncio.to_thread(migrate.upgrade, "analytics", url, wanted.owner_password)
