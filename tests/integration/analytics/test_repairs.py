"""Sums that are not what the ledger says are found, whatever is wrong with them, and added up anew beside writers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated
from libs.ids import new_id
from services.analytics import domain, usecases
from services.analytics.consumers import count_audio, count_voices, record_usage
from services.analytics.domain.whose import Whose
from services.analytics.store import Difference
from services.analytics.usecases.partitions import tend_partitions
from tests.integration.analytics.conftest import NOW, Books

TABLES = ("usage_totals", "usage_daily", "usage_quarters", "levels")
NUMBERS = ("quantity", "characters", "audio_seconds", "generations", "characters_cached")
MONTH = domain.period_of(NOW)
# Of this month, on whichever day the test runs.
FIRST, SECOND = NOW.replace(day=1, hour=3), NOW.replace(day=2, hour=21)

NOBODYS_QUARTER = """
insert into usage_quarters values (:org, :month ::timestamp at time zone 'UTC', null, null, null, 'ogg', 3, 1, 1, 0)
"""

Sums = dict[str, set[frozenset[tuple[str, Any]]]]  # Any: values of columns


async def sums(books: Books) -> Sums:
    """All sums of the organisation; rows by which nothing was used are none."""
    found: Sums = {}
    async with books.database.transaction(books.org_id) as session:
        for table in TABLES:
            query = text(f"select * from {table} where org_id = :org")  # noqa: S608 - the tables stand above
            rows = [row._asdict() for row in await session.execute(query, {"org": books.org_id})]
            found[table] = {
                frozenset((name, value) for name, value in row.items() if name != "updated_at")
                for row in rows
                if any(row.get(name) for name in NUMBERS)
            }
    return found


async def ours(books: Books) -> list[Difference]:
    return [one for one in await usecases.verify_sums(books.database) if one.org_id == books.org_id]


async def spoil(books: Books, *statements: str) -> None:
    async with books.database.transaction(books.org_id) as session:
        for statement in statements:
            values = {"org": books.org_id, "month": MONTH, "id": new_id()}
            wanted = {name: value for name, value in values.items() if f":{name}" in statement}
            done = await session.execute(text(statement), wanted)
            assert done.rowcount  # type: ignore[attr-defined]


def voice(books: Books) -> VoiceCreated:
    return VoiceCreated(voice_id=str(new_id()), org_id=str(books.org_id), variant="CUSTOM", created_at=NOW)


@pytest.fixture
async def used(books: Books) -> Books:
    """An organisation that has used and has something of everything."""
    people = Whose(new_id(), new_id(), new_id(), "wav"), Whose()
    events = [
        books.completed(characters=70 + number, seconds=2.25, at=at + timedelta(minutes=20 * number), whose=whose)
        for at in (FIRST, SECOND)
        for number, whose in enumerate(people)
    ]
    for event in events:
        event.size_bytes, event.audio_id, event.characters_spoken = 5, str(new_id()), 60
    await books.apply(record_usage, *events)
    await books.apply(count_audio, *events)
    await books.apply(count_voices, voice(books), voice(books))
    assert await ours(books) == []
    return books


@pytest.mark.parametrize(
    ("what", "statements"),
    [
        ("totals", ["update usage_totals set quantity = quantity + 1 where org_id = :org and unit = 'characters'"]),
        ("totals", ["delete from usage_totals where org_id = :org and unit = 'requests'"]),
        ("totals", ["insert into usage_totals (org_id, period, unit, quantity) values (:org, :month, 'ells', 3)"]),
        ("days", ["update usage_daily set audio_seconds = audio_seconds - 1 where org_id = :org"]),
        ("days", ["delete from usage_daily where org_id = :org"]),
        ("days", ["insert into usage_daily values (:org, :month ::date + 20, 5, 0, 1, 0)"]),
        # What the month does not show: each of two days has the other's.
        (
            "days",
            [
                "update usage_daily set characters = characters + 7 where org_id = :org and day = :month",
                "update usage_daily set characters = characters - 7 where org_id = :org and day > :month",
            ],
        ),
        ("quarters", ["update usage_quarters set generations = generations + 1 where org_id = :org"]),
        ("quarters", ["delete from usage_quarters where org_id = :org and key_id is null"]),
        ("quarters", ["update usage_quarters set key_id = :id where org_id = :org and key_id is not null"]),
        ("quarters", [NOBODYS_QUARTER]),
        ("levels", ["update levels set quantity = 7 where org_id = :org and unit = 'stored_bytes'"]),
        ("levels", ["delete from levels where org_id = :org and unit = 'custom_voices'"]),
        ("levels", ["insert into levels (org_id, unit, quantity) values (:org, 'ells', 3)"]),
    ],
)
async def test_what_is_wrong_is_found_and_added_up_anew(used: Books, what: str, statements: list[str]) -> None:
    before = await sums(used)
    assert all(before.values())
    await spoil(used, *statements)
    assert {one.what for one in await ours(used)} == {what}
    found = await usecases.find_differences(used.deps)
    assert {one.what for one in found if one.org_id == used.org_id} == {what}
    assert await sums(used) != before
    await usecases.repair_sums(used.database, await ours(used))
    assert await ours(used) == []
    assert await sums(used) == before


async def test_all_of_it_at_once_is_added_up_anew(used: Books) -> None:
    before = await sums(used)
    await spoil(used, *(f"delete from {table} where org_id = :org" for table in TABLES))  # noqa: S608 - they stand above
    assert {one.what for one in await ours(used)} == {"totals", "days", "quarters", "levels"}
    await usecases.repair_sums(used.database, await ours(used))
    assert await sums(used) == before


async def test_adding_up_anew_beside_writers_loses_nothing(used: Books) -> None:
    """Sums are spoiled and repaired again and again, while others add to them."""
    quiet = Books(used.deps, new_id())
    spoiling = (
        "update usage_totals set quantity = quantity + 5 where org_id = :org",
        "update usage_daily set characters = characters + 5 where org_id = :org",
        "update usage_quarters set characters = characters + 5 where org_id = :org",
        "update levels set quantity = quantity + 5 where org_id = :org",
    )
    everything = [Difference(what, used.org_id, MONTH, "", None, None) for what in ("totals", "levels")]

    async def write(number: int) -> None:
        for _ in range(20):
            event = used.completed(characters=3, seconds=1, at=(FIRST, SECOND)[number % 2])
            event.size_bytes, event.audio_id = 1, str(new_id())
            await used.apply(record_usage, event)
            await used.apply(count_audio, event)
            await used.apply(count_voices, voice(used))

    rounds = 0

    async def spoil_and_repair(writing: Sequence[asyncio.Task[None]]) -> None:
        nonlocal rounds
        while not all(one.done() for one in writing):
            await spoil(used, spoiling[rounds % len(spoiling)])
            await usecases.repair_sums(used.database, everything)
            rounds += 1

    writing = [asyncio.create_task(write(number)) for number in range(4)]
    await asyncio.gather(spoil_and_repair(writing), *writing)
    assert rounds > len(spoiling)
    assert await ours(used) == []
    assert not any((await sums(quiet)).values())
    expected = "select quantity from usage_totals where org_id = :org and unit = 'characters'"
    assert await used.value(expected) == 4 * 60 + 80 * 3
    assert await used.value("select quantity from levels where org_id = :org and unit = 'custom_voices'") == 82


async def test_sums_of_months_whose_ledger_is_gone_are_left_alone(used: Books) -> None:
    """Nobody has used anything for years: nothing of the ledger is left, and its sums are all that there is."""
    before = await sums(used)
    later = replace(used.deps, clock=lambda: NOW + timedelta(days=365 * 40))
    await tend_partitions(later)
    assert await used.value("select count(*) from usage_metrics where org_id = :org") == 0
    assert await ours(used) == []
    await usecases.repair_sums(used.database, await usecases.verify_sums(used.database))
    assert await sums(used) == before
