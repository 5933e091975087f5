"""Limits that several replicas share through the database."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database, Driver
from services.gateway.domain.limits import KEY, ORGANIZATION, LimitReached, Rate
from services.gateway.usecases.limiter import Limiter
from tests.integration.gateway.limiting import (
    PATIENT_SECONDS,
    ROOMY,
    admit_until_refused,
    credential_of,
    limits_of,
    replicas,
)
from tests.integration.gateway.serving import HOST, free_port
from tests.support.polling import eventually
from tests.support.servers import Servers


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


pytestmark = pytest.mark.usefixtures("schema")


@pytest.mark.parametrize("limited", [KEY, ORGANIZATION])
async def test_all_replicas_together_let_in_exactly_what_the_limit_says(servers: Servers, limited: str) -> None:
    rate = Rate(3000, 600)
    limits = limits_of(key=rate) if limited == KEY else limits_of(organization=rate)
    async with replicas(servers, limits) as limiters:
        credential = credential_of()
        begun = time.monotonic()
        admitted = await asyncio.gather(*(admit_until_refused(limiter, credential) for limiter in limiters))
        elapsed = time.monotonic() - begun
        assert 3000 <= sum(admitted) <= 3000 + elapsed * 5
        with pytest.raises(LimitReached) as refused:
            await limiters[0].admit(credential)
        assert (refused.value.policy, refused.value.limit, refused.value.retry_after) == (limited, 3000, 1)


async def test_keys_of_one_organisation_share_its_limit_and_no_other(servers: Servers) -> None:
    limits = limits_of(key=Rate(60, 6000), organization=Rate(90, 6000))
    async with replicas(servers, limits, 2) as (one, another):
        first = credential_of()
        second = credential_of(first.org_id)
        assert await admit_until_refused(one, first) == 60
        assert await admit_until_refused(one, second) == 30
        assert await admit_until_refused(another, credential_of()) == 60


async def test_who_is_too_many_is_refused_by_the_first_answer_however_slow_it_is(servers: Servers) -> None:
    credential = credential_of()
    slow = _Slow()
    database = servers.database("gateway", [slow])
    # While an answer takes 0.2 s, ten cells come back: too few for all who wait, and never none.
    limiter = Limiter(database, {"free": limits_of(key=Rate(300, 6))}, answer_seconds=PATIENT_SECONDS)
    assert await admit_until_refused(limiter, credential) >= 300
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
    credential = credential_of()
    for _ in range(5000):
        limiter.release(await limiter.admit(credential))
    assert trips.count < 100
    await limiter.close()
    await database.close()


async def test_what_one_replica_does_not_use_another_one_gets(servers: Servers) -> None:
    limits = limits_of(key=Rate(1000, 6000))
    async with replicas(servers, limits, 2) as (first, second):
        credential = credential_of()
        used = 300
        for _ in range(used):
            first.release(await first.admit(credential))

        async def all_of_it() -> bool:
            nonlocal used
            used += await admit_until_refused(second, credential)
            return used >= 1000

        await eventually(all_of_it, within=5, what="the rest of the cells")
        assert used <= 1005


async def test_cells_that_waited_too_long_are_used_by_nobody(servers: Servers) -> None:
    """Without upkeep: what is stale goes back with the next question."""
    now = time.monotonic()
    database = servers.database("gateway")
    limiter = Limiter(
        database, {"free": limits_of(key=Rate(1000, 6000))}, clock=lambda: now, answer_seconds=PATIENT_SECONDS
    )
    credential = credential_of()
    for _ in range(100):
        limiter.release(await limiter.admit(credential))
        now += 0.0001
    standing = limiter.standings(await limiter.admit(credential))[0].remaining
    now += 2
    admission = await limiter.admit(credential)
    assert standing - 1 <= limiter.standings(admission)[0].remaining <= standing
    await limiter.close()
    await database.close()


async def test_while_the_database_is_away_each_replica_goes_on_alone() -> None:
    nowhere = Database(f"postgresql://gateway_app@{HOST}:{free_port()}/antiphon_gateway", "x", application="test")
    limiter = Limiter(nowhere, {"free": limits_of(key=Rate(50, 6000), concurrent=7)})
    credential = credential_of()
    assert await admit_until_refused(limiter, credential, 5) == 50
    other = credential_of()
    held = [await limiter.admit(other) for _ in range(7)]
    with pytest.raises(LimitReached):
        await limiter.admit(other)
    for admission in held:
        limiter.release(admission)
    await limiter.close()
    await nowhere.close()
