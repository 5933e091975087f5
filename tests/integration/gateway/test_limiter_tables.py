"""What the database itself counts of requests, and who may look."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.database import Database
from libs.ids import new_id
from services.gateway.domain.limits import Rate, grant
from services.gateway.store import limits as store
from services.gateway.usecases.supplies import SLOT_SECONDS
from tests.support.servers import Servers


async def test_the_database_counts_as_the_domain_does(database: Database) -> None:
    rate = Rate(200, 86_400)
    bucket, arrival, now = new_id(), 0, time.time_ns()
    drawn = random.Random(7)
    for _ in range(200):
        returned, needed, more = (drawn.randrange(limit) for limit in (5, 12, 30))
        arrival = max(arrival - returned * rate.interval, now)
        expected = grant(rate, arrival, now, needed, more)
        arrival = expected.arrival
        share = await _take(database, store.Wanted(bucket, rate, returned=returned, needed=needed, more=more))
        assert (share.cells, share.available) == (expected.cells, expected.available)
        assert abs(share.wait - expected.wait) < 60e9


async def _take(database: Database, wanted: store.Wanted) -> store.Share:
    async with database.transaction() as session:
        (share,) = await store.take_shares(session, new_id(), [wanted], SLOT_SECONDS)
    return share


async def test_full_buckets_are_forgotten(servers: Servers, database: Database) -> None:
    busy, idle = new_id(), new_id()
    await _take(database, store.Wanted(busy, Rate(10, 6000), needed=5))
    await _take(database, store.Wanted(idle, Rate(10, 6000), needed=0))
    async with database.transaction() as session:
        await store.delete_full_buckets(session)
    left = await _rows(servers, "select id from rate_buckets where id = any($1)", [busy, idle])
    assert [row["id"] for row in left] == [busy]


@pytest.mark.parametrize(
    ("look", "write"),
    [
        ("select * from rate_buckets", "insert into rate_buckets values (gen_random_uuid(), 0)"),
        (
            "select * from request_slots",
            "insert into request_slots values (gen_random_uuid(), gen_random_uuid(), 1, now())",
        ),
    ],
)
async def test_the_application_sees_only_what_the_function_says(database: Database, look: str, write: str) -> None:
    await _take(database, store.Wanted(new_id(), Rate(10), needed=1, slot_limit=5, slots_needed=1))
    async with database.transaction() as session:
        assert (await session.execute(text(look))).all() == []
        with pytest.raises(DBAPIError, match="row-level security"):
            await session.execute(text(write))


async def _rows(servers: Servers, query: str, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    password = servers.service_database("gateway").owner_password
    connection = await asyncpg.connect(servers.url("owner", "gateway"), password=password)
    try:
        return await connection.fetch(query, ids)
    finally:
        await connection.close()
