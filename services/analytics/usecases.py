"""What may be used, what was used, and what is told about it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from uuid import UUID

from libs.contracts.antiphon.analytics.v1.events_pb2 import OrganizationErased
from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.database import Database, is_database_away
from libs.messaging import Delivery
from libs.outbox.erasing import erase_rows, tell_erased
from libs.web import Caller
from services.analytics import domain, store

PLAN_SECONDS = 1.0
"""How much longer an organisation may go on without a limit when its plan changes."""
PLANS_KEPT = 10_000
PARTITIONS_AHEAD = 3
"""Months for which the ledger has partitions before they begin."""
PARTITION_CHECK_SECONDS = 86_400.0
PARTITION_RETRY_SECONDS = 5.0

ERASE_ORGANIZATION = "analytics-erase_organization"
"""The durable of the consumer: what the inbox remembers is its."""
ERASED = ("usage_metrics", "usage_totals", "usage_daily", "reservations", "subscriptions")
"""Every table with rows of organisations."""

logger = logging.getLogger(__name__)


class Unlimited:
    """Plans without a limit, remembered for a moment: then a request needs no transaction here."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._known: dict[UUID, tuple[float, domain.Plan]] = {}

    def get(self, org_id: UUID) -> domain.Plan | None:
        """Return the plan of an organisation that had no limit a moment ago, or None."""
        until, plan = self._known.get(org_id, (0.0, None))
        return plan if time.monotonic() < until else None

    def keep(self, org_id: UUID, plan: domain.Plan) -> None:
        """Remember that an organisation's plan has no limit."""
        if len(self._known) >= PLANS_KEPT:
            self._known.clear()
        self._known[org_id] = time.monotonic() + PLAN_SECONDS, plan


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with. `default_plan` is for organisations without an active subscription."""

    database: Database
    default_plan: domain.Plan
    clock: Callable[[], datetime]
    unlimited: Unlimited = field(default_factory=Unlimited)


async def reserve(deps: Deps, request: ReserveRequest) -> ReserveReply:
    """Set characters aside for a generation if the plan covers them; asking twice reserves once."""
    org_id, reservation_id = UUID(request.org_id), UUID(request.reservation_id)
    decision = await _reserve(deps, org_id, reservation_id, request.characters, again=request.again)
    return ReserveReply(
        granted=decision.granted,
        limit=decision.limit or 0,
        remaining=decision.remaining,
        resets_at=int(decision.resets_at.timestamp()),
        concurrency=decision.concurrency,
    )


async def _reserve(deps: Deps, org_id: UUID, reservation_id: UUID, characters: int, *, again: bool) -> domain.Decision:
    now = deps.clock()
    period = domain.period_of(now)
    resets_at = domain.end_of(period)
    # Where nothing is compared, nothing needs to be held, and nobody has to wait for anybody.
    free = domain.decide(asked=characters, used=0, reserved=0, limit=None, resets_at=resets_at)
    known = deps.unlimited.get(org_id)
    if known is not None:
        return replace(free, concurrency=known.concurrency)
    async with deps.database.transaction(org_id) as session:
        subscription = await store.get_subscription(session, org_id)
        plan = domain.plan_in_force(subscription, default=deps.default_plan, now=now)
        if plan.characters is None:
            deps.unlimited.keep(org_id, plan)
            return replace(free, concurrency=plan.concurrency)
        await store.lock_organization(session, org_id)
        earlier = await store.get_reservation(session, reservation_id)
        used, reserved = await store.used_and_reserved(session, org_id, period, now)
        answer = earlier.answer(now, again=again) if earlier else None
        if answer is not None:
            left = max(0, plan.characters - used - reserved)
            return domain.Decision(answer, plan.characters, left, resets_at, plan.concurrency)
        decision = domain.decide(
            asked=characters, used=used, reserved=reserved, limit=plan.characters, resets_at=resets_at
        )
        if decision.granted:
            await store.hold_reservation(
                session,
                reservation_id=reservation_id,
                org_id=org_id,
                characters=characters,
                expires_at=now + domain.RESERVATION_LIFETIME,
            )
    return replace(decision, concurrency=plan.concurrency)


async def get_usage(
    deps: Deps, caller: Caller, first: date | None, last: date | None
) -> tuple[list[domain.DayOfUse], domain.PeriodOfUse]:
    """Return what the caller's organisation used on each day, and how it stands in this period.

    Raises InvalidRange.
    """
    now = deps.clock()
    begin, end = domain.usage_range(first, last, now.astimezone(UTC).date())
    period = domain.period_of(now)
    async with deps.database.transaction(caller.org_id) as session:
        days = await store.list_days(session, caller.org_id, begin, end)
        subscription = await store.get_subscription(session, caller.org_id)
        used, reserved = await store.used_and_reserved(session, caller.org_id, period, now)
    plan = domain.plan_in_force(subscription, default=deps.default_plan, now=now)
    return days, domain.PeriodOfUse(plan, used, reserved, domain.end_of(period))


async def keep_partitions(deps: Deps) -> None:
    """Keep the ledger's partitions made ahead, once a day; a database that is away is asked again soon."""
    while True:
        try:
            async with deps.database.transaction() as session:
                await store.make_partitions(session, deps.clock().astimezone(UTC).date(), PARTITIONS_AHEAD)
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("partitions wait for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(PARTITION_RETRY_SECONDS)
        else:
            await asyncio.sleep(PARTITION_CHECK_SECONDS)


async def erase_organization(deps: Deps, delivery: Delivery[OrganizationErasureRequested]) -> None:
    """Delete all that is kept here of an organisation, and tell how much it was."""
    org_id = UUID(delivery.event.org_id)
    counts = await erase_rows(deps.database, org_id, ERASED)
    await tell_erased(deps.database, delivery, ERASE_ORGANIZATION, counts, OrganizationErased, deps.clock())
