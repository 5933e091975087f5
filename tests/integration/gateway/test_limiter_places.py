"""Requests in flight, which replicas count together through the database."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from services.gateway.domain.limits import CONCURRENCY, LimitReached
from services.gateway.usecases.limiter import Admission, Limiter
from services.gateway.usecases.supplies import SLOT_SECONDS
from tests.integration.gateway.limiting import PATIENT_SECONDS, credential_of, limits_of, replicas
from tests.support.polling import eventually
from tests.support.servers import Servers

pytestmark = pytest.mark.usefixtures("schema")


async def test_requests_in_flight_are_counted_over_all_replicas(servers: Servers) -> None:
    async with replicas(servers, limits_of(concurrent=30)) as limiters:
        credential = credential_of()
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
    died = Limiter(database, {"free": limits_of(concurrent=5)}, answer_seconds=PATIENT_SECONDS)
    credential = credential_of()
    for _ in range(5):
        await died.admit(credential)
    async with replicas(servers, limits_of(concurrent=5), 1) as (alive,):
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
    async with replicas(servers, limits_of(concurrent=1), 1) as (limiter,):
        credential = credential_of()
        for _ in range(200):
            limiter.release(await limiter.admit(credential))
