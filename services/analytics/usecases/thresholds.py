"""Telling organisations when they have used much of what their plan covers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.analytics.v1.events_pb2 import QuotaThresholdReached
from services.analytics import domain, store
from services.analytics.domain import Quota
from services.analytics.store import Reached

Used = Mapping[tuple[UUID, date, Quota], Decimal | int]
"""What is used now, by organisation, month and quota."""


async def tell_thresholds(
    session: AsyncSession, used: Used, now: datetime, causes: Mapping[UUID, Message] | None = None
) -> None:
    """Tell, in the transaction that has used so much, of each threshold that was not told of in its month.

    For organisations that never subscribed the default plan counts. `causes` are the events, by organisation, that it
    follows from.
    """
    known = await store.get_plans(session) if used else None
    if known is None:
        return
    subscriptions = await store.list_subscriptions(session, sorted({org_id for org_id, _, _ in used}))
    reached = {
        Reached(org_id, period, quota, percent): (limit, quantity)
        for (org_id, period, quota), quantity in used.items()
        for plan in [domain.plan_in_force(subscriptions.get(org_id), default=known.default, now=now)]
        for limit in [known.limits[plan].of(quota)]
        for percent in domain.thresholds(quantity, limit)
    }
    if not reached:
        return
    new = await store.save_thresholds(session, list(reached), now)
    for one in sorted(new, key=lambda one: (one.org_id, one.period, one.quota, one.percent)):
        limit, quantity = reached[one]
        outbox.add(session, _event(one, limit or 0, quantity, now), cause=causes.get(one.org_id) if causes else None)


def _event(reached: Reached, limit: int, used: Decimal | int, now: datetime) -> QuotaThresholdReached:
    return QuotaThresholdReached(
        org_id=str(reached.org_id),
        unit=reached.quota,
        percent=reached.percent,
        limit=limit,
        used=float(used),
        period=reached.period.isoformat(),
        resets_at=domain.end_of(reached.period),
        reached_at=now,
    )


async def tell_standing(
    session: AsyncSession,
    org_id: UUID,
    standing: domain.Standing,
    period: date,
    now: datetime,
    cause: Message | None = None,
) -> None:
    """Tell of the thresholds at which an organisation stands: its plan is another one, or has become known."""
    used = {(org_id, period, quota): quantity for quota, quantity in standing.used.items()}
    await tell_thresholds(session, used, now, {org_id: cause} if cause is not None else None)
