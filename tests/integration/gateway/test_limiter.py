"""Limits that several replicas share through the database."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database, Driver
from libs.ids import new_id
from services.gateway.domain.access import ALL_SCOPES, Credential
from services.gateway.domain.limits import CONCURRENCY, KEY, ORGANIZATION, LimitReached, PlanLimits, Rate, grant
from services.gateway.domain.organizations import Plan
from services.gateway.store import limits as store
from services.gateway.usecases.limiter import Admission, Limiter
from services.gateway.usecases.supplies import SLOT_SECONDS
from tests.integration.gateway.serving import HOST, free_port
from tests.support.polling import eventually
from tests.support.servers import Servers

PATIENT_SECONDS = 30.0
"""However busy the machine is, the database is asked: who counts alone lets in more than the limits say."""
ROOMY = PlanLimits(Rate(1_000_000), Rate(1_000_000), 100_000)


def _limits(key: Rate = ROOMY.key, organization: Rate = ROOMY.organization, concurrent: int = 100_000) -> PlanLimits:
    return PlanLimits(key, organization, concurrent)


def _credential(org_id: UUID | None = None, plan: Plan = "free") -> Credential:
    return Credential(org_id or new_id(), new_id(), None, ALL_SCOPES, plan)


class _Trips:
    """Counts the transactions."""

    count = 0

    async def before_commit(self, _session: AsyncSession, _driver: Driver) -> None:
        self.count += 1

    async def after_commit(self, _session: AsyncSession) -> None:
        """Nothing to do."""


class _Slow:
    """Makes transactions take longer, and counts them."""

    seconds = 0.0
    count = 0

    async def before_commit(self, _session: AsyncSession, _driver: Driver) -> None:
        await asyncio.sleep(self.seconds)

    async def after_commit(self, _session: AsyncSession) -> None:
        self.count += 1


@asynccontextmanager
async def _replicas(servers: Servers, limits: PlanLimits, count: int = 3) -> AsyncIterator[list[Limiter]]:
    """Limiters as in several processes: each with its own connections, and its upkeep running."""
    databases = [servers.database("gateway") for _ in range(count)]
    limiters = [Limiter(database, {"free": limits}, answer_seconds=PATIENT_SECONDS) for database in databases]
    upkeep = [asyncio.create_task(limiter.run()) for limiter in limiters]
    try:
        yield limiters
    finally:
        for task in upkeep:
            task.cancel()
        for limiter, database in zip(limiters, databases, strict=True):
            await limiter.close()
            await database.close()


async def _admit_until_refused(limiter: Limiter, credential: Credential, clients: int = 20) -> int:
    admitted = 0

    async def client() -> None:
        nonlocal admitted
        with suppress(LimitReached):
            while True:
                limiter.release(await limiter.admit(credential))
                admitted += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    return admitted


pytestmark = pytest.mark.usefixtures("schema")


@pytest.mark.parametrize("limited", [KEY, ORGANIZATION])
async def test_all_replicas_together_let_in_exactly_what_the_limit_says(servers: Servers, limited: str) -> None:
    rate = Rate(3000, 600)
    limits = _limits(key=rate) if limited == KEY else _limits(organization=rate)
    async with _replicas(servers, limits) as limiters:
        credential = _credential()
        begun = time.monotonic()
        admitted = await asyncio.gather(*(_admit_until_refused(limiter, credential) for limiter in limiters))
        elapsed = time.monotonic() - begun
        assert 3000 <= sum(admitted) <= 3000 + elapsed * 5
        with pytest.raises(LimitReached) as refused:
            await limiters[0].admit(credential)
        assert (refused.value.policy, refused.value.limit, refused.value.retry_after) == (limited, 3000, 1)


async def test_keys_of_one_organisation_share_its_limit_and_no_other(servers: Servers) -> None:
    limits = _limits(key=Rate(60, 6000), organization=Rate(90, 6000))
    async with _replicas(servers, limits, 2) as (one, another):
        first = _credential()
        second = _credential(first.org_id)
        assert await _admit_until_refused(one, first) == 60
        assert await _admit_until_refused(one, second) == 30
        assert await _admit_until_refused(another, _credential()) == 60


async def test_who_is_too_many_is_refused_by_the_first_answer_however_slow_it_is(servers: Servers) -> None:
    credential = _credential()
    slow = _Slow()
    database = servers.database("gateway", [slow])
    # While an answer takes 0.2 s, ten cells come back: too few for all who wait, and never none.
    limiter = Limiter(database, {"free": _limits(key=Rate(300, 6))}, answer_seconds=PATIENT_SECONDS)
    assert await _admit_until_refused(limiter, credential) >= 300
    slow.seconds = 0.2
    counts = {"admitted": 0, "refused": 0}
    longest = 0
    begun = time.monotonic()

    async def client() -> None:
        nonlocal longest
        since = slow.count
        try:
            limiter.release(await limiter.admit(credential))
            counts["admitted"] += 1
        except LimitReached as refused:
            counts["refused"] += 1
            longest = max(longest, refused.retry_after - 1)
        longest = max(longest, slow.count - since)

    async with asyncio.TaskGroup() as clients:
        for _ in range(15):
            for _ in range(100):
                clients.create_task(client())
            await asyncio.sleep(slow.seconds)
    assert counts["admitted"] + counts["refused"] == 1500
    assert 0 < counts["admitted"] <= (time.monotonic() - begun + 1) * 50
    # Who comes while an answer is on its way waits for that one and for the next.
    assert longest <= 4
    await limiter.close()
    await database.close()


async def test_a_busy_key_costs_few_round_trips(servers: Servers) -> None:
    trips = _Trips()
    database = servers.database("gateway", [trips])
    limiter = Limiter(database, {"free": ROOMY}, answer_seconds=PATIENT_SECONDS)
    credential = _credential()
    for _ in range(5000):
        limiter.release(await limiter.admit(credential))
    assert trips.count < 100
    await limiter.close()
    await database.close()


async def test_what_one_replica_does_not_use_another_one_gets(servers: Servers) -> None:
    limits = _limits(key=Rate(1000, 6000))
    async with _replicas(servers, limits, 2) as (first, second):
        credential = _credential()
        used = 300
        for _ in range(used):
            first.release(await first.admit(credential))

        async def all_of_it() -> bool:
            nonlocal used
            used += await _admit_until_refused(second, credential)
            return used >= 1000

        await eventually(all_of_it, within=5, what="the rest of the cells")
        assert used <= 1005


async def test_cells_that_waited_too_long_are_used_by_nobody(servers: Servers) -> None:
    """Without upkeep: what is stale goes back with the next question."""
    now = time.monotonic()
    database = servers.database("gateway")
    limiter = Limiter(
        database, {"free": _limits(key=Rate(1000, 6000))}, clock=lambda: now, answer_seconds=PATIENT_SECONDS
    )
    credential = _credential()
    for _ in range(100):
        limiter.release(await limiter.admit(credential))
        now += 0.0001
    standing = limiter.standings(await limiter.admit(credential))[0].remaining
    now += 2
    admission = await limiter.admit(credential)
    assert standing - 1 <= limiter.standings(admission)[0].remaining <= standing
    await limiter.close()
    await database.close()


async def test_requests_in_flight_are_counted_over_all_replicas(servers: Servers) -> None:
    async with _replicas(servers, _limits(concurrent=30)) as limiters:
        credential = _credential()
        held: list[tuple[Limiter, Admission]] = []

        async def fill(limiter: Limiter) -> None:
            with suppress(LimitReached):
                while True:
                    held.append((limiter, await limiter.admit(credential)))

        async def full() -> bool:
            await asyncio.gather(*(fill(limiter) for limiter in limiters))
            return len(held) >= 30

        await eventually(full, within=10, what="all places")
        assert len(held) == 30
        with pytest.raises(LimitReached) as refused:
            await limiters[1].admit(credential)
        assert (refused.value.policy, refused.value.limit, refused.value.retry_after) == (CONCURRENCY, 30, 1)
        limiter, admission = held.pop()
        limiter.release(admission)

        async def one_more() -> bool:
            await fill(limiters[1])
            return len(held) == 30

        await eventually(one_more, within=5, what="the place that became free")
        for limiter, admission in held:
            limiter.release(admission)


async def test_a_replica_that_died_keeps_no_places(servers: Servers) -> None:
    database = servers.database("gateway")
    died = Limiter(database, {"free": _limits(concurrent=5)}, answer_seconds=PATIENT_SECONDS)
    credential = _credential()
    for _ in range(5):
        await died.admit(credential)
    async with _replicas(servers, _limits(concurrent=5), 1) as (alive,):
        with pytest.raises(LimitReached):
            await alive.admit(credential)
        begun = time.monotonic()

        async def admitted() -> bool:
            with suppress(LimitReached):
                alive.release(await alive.admit(credential))
                return True
            return False

        await eventually(admitted, within=10, what="the dead replica's places")
        assert time.monotonic() - begun > SLOT_SECONDS / 2
    await database.close()


async def test_one_replica_uses_a_place_again_at_once(servers: Servers) -> None:
    async with _replicas(servers, _limits(concurrent=1), 1) as (limiter,):
        credential = _credential()
        for _ in range(200):
            limiter.release(await limiter.admit(credential))


async def test_while_the_database_is_away_each_replica_goes_on_alone() -> None:
    nowhere = Database(f"postgresql://gateway_app@{HOST}:{free_port()}/antiphon_gateway", "x", application="test")
    limiter = Limiter(nowhere, {"free": _limits(key=Rate(50, 6000), concurrent=7)})
    credential = _credential()
    assert await _admit_until_refused(limiter, credential, 5) == 50
    other = _credential()
    held = [await limiter.admit(other) for _ in range(7)]
    with pytest.raises(LimitReached):
        await limiter.admit(other)
    for admission in held:
        limiter.release(admission)
    await limiter.close()
    await nowhere.close()


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
