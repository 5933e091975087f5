"""Limiters as several processes have them, and who asks them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from libs.ids import new_id
from services.gateway.domain.access import ALL_SCOPES, Credential
from services.gateway.domain.limits import LimitReached, PlanLimits, Rate
from services.gateway.domain.organizations import Plan
from services.gateway.usecases.limiter import Limiter
from tests.support.servers import Servers

PATIENT_SECONDS = 30.0
"""However busy the machine is, the database is asked: who counts alone lets in more than the limits say."""
ROOMY = PlanLimits(Rate(1_000_000), Rate(1_000_000), 100_000)


def limits_of(key: Rate = ROOMY.key, organization: Rate = ROOMY.organization, concurrent: int = 100_000) -> PlanLimits:
    return PlanLimits(key, organization, concurrent)


def credential_of(org_id: UUID | None = None, plan: Plan = "free") -> Credential:
    return Credential(org_id or new_id(), new_id(), None, ALL_SCOPES, plan)


@asynccontextmanager
async def replicas(servers: Servers, limits: PlanLimits, count: int = 3) -> AsyncIterator[list[Limiter]]:
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


async def admit_until_refused(limiter: Limiter, credential: Credential, clients: int = 20) -> int:
    admitted = 0

    async def client() -> None:
        nonlocal admitted
        with suppress(LimitReached):
            while True:
                limiter.release(await limiter.admit(credential))
                admitted += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    return admitted
