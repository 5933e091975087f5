"""What visitors do is known of groups, and of nobody; salts go with their day; funnels are counted from numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated
from libs.database import Database
from libs.ids import new_id
from services.analytics.consumers import begin_subscriptions, count_voices, record_usage
from services.analytics.domain import InvalidRange
from services.analytics.domain.anonymity import GroupOfDay
from services.analytics.store.product_events import NewEvent
from services.analytics.usecases import product_events
from tests.integration.analytics.conftest import Books
from tests.support.servers import Servers

VISITED = NewEvent("visited", {"page": "pricing"})


@pytest.fixture(autouse=True)
async def _no_salt_of_another_test(servers: Servers) -> None:
    """Each test lives in a time of its own, and there is one salt at a time: the newest."""
    owner = Database(
        servers.url("owner", "analytics"), servers.service_database("analytics").owner_password, application="test"
    )
    async with owner.transaction() as session:
        await session.execute(text("truncate analytics_salts"))
    await owner.close()


def on(books: Books, day: date, hour: int = 9) -> Books:
    """The same at another time."""
    now = datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)
    return replace(books, deps=replace(books.deps, clock=lambda: now))


def token(visitor: object) -> bytes:
    return sha256(str(visitor).encode()).digest()[:16]


async def visit(books: Books, visitors: Iterable[object], *events: NewEvent) -> None:
    for visitor in visitors:
        await product_events.record_events(books.deps, token(visitor), events or [VISITED])


async def summary(books: Books, day: date, **by: Any) -> Sequence[GroupOfDay]:
    wanted = {"name": None, "by": None} | by
    after = on(books, day + timedelta(days=1))
    _, _, groups = await product_events.summarize(after.deps, day, day, **wanted)
    return groups


def told(groups: Sequence[GroupOfDay]) -> dict[str | None, tuple[int, int]]:
    return {None if one.is_other else one.group: (one.count.events, one.count.visitors) for one in groups}


async def test_a_visitor_is_the_same_all_day_and_another_the_next(books: Books) -> None:
    day = date(2050, 1, 1)
    hashes = "select count(distinct visitor) from analytics_events where hour >= '2050-01-01Z' and hour < '2050-01-03Z'"
    await visit(on(books, day, 9), ["ada"])
    await visit(on(books, day, 20), ["ada", "ada"])
    assert await books.value(hashes) == 1
    await visit(on(books, day), ["bob"])
    assert await books.value(hashes) == 2
    await visit(on(books, day + timedelta(days=1)), ["ada"])
    assert await books.value(hashes) == 3
    # Only the hour is known.
    assert await books.value("select count(*) from analytics_events where extract(minute from hour) <> 0") == 0


async def salts(books: Books) -> int:
    """How many rows the table of salts has, by its size: nobody but the owner reads it."""
    found = await books.value("select (pg_relation_size('analytics_salts') > 0)::integer")
    assert isinstance(found, int)
    return found


async def test_a_salt_goes_with_its_day(books: Books) -> None:
    day = date(2051, 1, 1)
    await visit(on(books, day), ["ada"])
    await product_events.tend_product_events(on(books, day, 23).deps)
    assert await salts(books) == 1
    await product_events.tend_product_events(on(books, day + timedelta(days=1), 0).deps)
    assert await salts(books) == 0
    # What a process says whose clock is late changes nothing: there is one salt at a time, and no way back.
    await visit(on(books, day + timedelta(days=2)), ["ada"])
    await visit(on(books, day + timedelta(days=1), 23), ["ada"])
    hashes = "select count(distinct visitor) from analytics_events where hour >= '2051-01-02Z' and hour < '2051-01-04Z'"
    assert await books.value(hashes) == 1


async def test_a_salt_is_in_no_backup_and_the_application_cannot_read_it(books: Books) -> None:
    await visit(on(books, date(2052, 1, 1)), ["ada"])
    # Unlogged: in no log of changes, and so in no backup either.
    assert await books.value("select relpersistence::text from pg_class where relname = 'analytics_salts'") == "u"
    for statement in ("select * from analytics_salts", "delete from analytics_salts"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            await books.value(statement)


async def test_tables_of_visitors_have_no_place_for_anybody(books: Books) -> None:
    columns = """
        select array_agg(column_name::text order by ordinal_position) from information_schema.columns
        where table_name = '{}' and table_schema = 'public'
    """
    assert await books.value(columns.format("analytics_events")) == ["id", "hour", "name", "visitor", "properties"]
    kept = await books.value("select visitor from analytics_events order by hour desc limit 1")
    assert kept != token("ada")


async def test_small_groups_are_told_together_or_not_at_all(books: Books) -> None:
    day = date(2053, 1, 1)
    then = on(books, day)
    await visit(then, range(20))
    await visit(then, range(9), NewEvent("signup_opened", {}))
    await visit(then, range(3), NewEvent("help_opened", {}))
    await visit(then, [3], NewEvent("oops_shown", {}))
    # Four together are still too few: the smallest that was told goes with them, so that nobody can subtract.
    assert told(await summary(books, day)) == {"visited": (20, 20), None: (13, 9)}
    await visit(then, range(30, 33), NewEvent("oops_shown", {}))
    assert told(await summary(books, day)) == {"visited": (20, 20), "signup_opened": (9, 9), None: (7, 7)}


async def test_of_fewer_than_five_visitors_nothing_is_told(books: Books) -> None:
    day = date(2054, 1, 1)
    await visit(on(books, day), [1, 2, 3, 4], *[VISITED] * 50)
    assert await summary(books, day) == []
    await visit(on(books, day), [5])
    assert told(await summary(books, day)) == {"visited": (201, 5)}


async def test_values_of_a_property_are_groups(books: Books) -> None:
    day = date(2055, 1, 1)
    then = on(books, day)
    for page, visitors in (("pricing", 8), ("docs", 6), ("jobs", 2)):
        await visit(then, range(visitors), NewEvent("visited", {"page": page}))
    await visit(then, range(100, 105), NewEvent("visited", {}))
    await visit(then, range(50), NewEvent("clicked", {"page": "pricing"}))
    groups = told(await summary(books, day, name="visited", by="page"))
    assert groups == {"pricing": (8, 8), "docs": (6, 6), None: (7, 7)}


async def test_only_days_that_are_over_are_told(books: Books) -> None:
    day = date(2056, 1, 1)
    await visit(on(books, day), range(9))
    for asked in (product_events.list_funnels(on(books, day).deps, day, None),):
        with pytest.raises(InvalidRange):
            await asked
    _, end, groups = await product_events.summarize(
        on(books, day).deps, day - timedelta(days=3), day, name=None, by=None
    )
    assert end == day - timedelta(days=1)
    assert [one for one in groups if one.day == day] == []
    with pytest.raises(InvalidRange):
        await product_events.summarize(on(books, day).deps, day - timedelta(days=200), None, name=None, by=None)


async def sign_up(books: Books, at: datetime) -> Books:
    """An organisation that was made then."""
    made = Books(books.deps, new_id(at))
    created = OrganizationCreated(org_id=str(made.org_id), name="x", plan="pro", created_at=at)
    await made.apply(begin_subscriptions, created)
    return made


async def test_a_funnel_counts_each_organisation_once_for_each_step(books: Books) -> None:
    begin = datetime(2026, 1, 10, 12, tzinfo=UTC)
    day = begin.date()
    await visit(on(books, day), range(12))
    made = [await sign_up(books, begin) for _ in range(9)]
    for number, one in enumerate(made[:7]):
        for _ in range(2):
            voice = VoiceCreated(
                voice_id=str(new_id(begin)), org_id=str(one.org_id), variant="CUSTOM", created_at=begin
            )
            await one.apply(count_voices, voice)
        again = [one.completed(at=begin + timedelta(days=days)) for days in ((0, 0, 1, 2) if number else (0,))]
        await one.apply(record_usage, *reversed(again), *again)
    for after in (1, 2):
        later = on(books, day + timedelta(days=after), 1)
        await product_events.tend_product_events(later.deps)
        await product_events.tend_product_events(later.deps)
    asked = on(books, day + timedelta(days=5)).deps
    _, _, funnels = await product_events.list_funnels(asked, day, day + timedelta(days=1))
    assert [one.counts for one in funnels] == [(12, 9, 7, 7, 0), (0, 0, 0, 0, 6)]
    assert [one.told for one in funnels] == [(12, 9, 7, 7, 0), (0, 0, 0, 0, 6)]
    assert replace(funnels[0], counts=(4, 1, 5, 0, 3)).told == (None, None, 5, 0, None)
    for org_id in [one.org_id for one in made]:
        assert await found(books, str(org_id)) == []


async def found(books: Books, wanted: str) -> list[str]:
    """The tables of visitors in which this stands anywhere."""
    tables = ("analytics_events", "funnel_snapshots")
    query = "select count(*) from {0} where strpos({0}::text, :wanted) > 0"
    async with books.database.transaction() as session:
        counts = {table: await session.scalar(text(query.format(table)), {"wanted": wanted}) for table in tables}
    return [table for table, count in counts.items() if count]


async def test_old_events_go_and_funnels_stay(books: Books) -> None:
    day = date(2025, 5, 5)
    await visit(on(books, day), range(6))
    await product_events.tend_product_events(on(books, day + timedelta(days=1)).deps)
    count = "select count(*) from analytics_events where hour < '2025-05-06Z'"
    assert await books.value(count) == 6
    await product_events.tend_product_events(on(books, day + timedelta(days=402)).deps)
    assert await books.value(count) == 0
    assert await books.value("select visited from funnel_snapshots where day = '2025-05-05'") == 6


def test_ids_say_when_they_were_made() -> None:
    at = datetime(2026, 1, 10, 12, tzinfo=UTC)
    assert UUID(str(new_id(at))).int >> 80 == int(at.timestamp() * 1000)
