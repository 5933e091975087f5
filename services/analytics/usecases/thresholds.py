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
from services.analytics.domain import Plan, Quota
from services.analytics.store import Reached

Used = Mapping[tuple[UUID, date, Quota], Decimal | int]
"""What is used now, by organisation, month and quota."""


async def tell_thresholds(
    session: AsyncSession, used: Used, now: datetime, causes: Mapping[UUID, Message] | None = None
) -> None:
    """Tell, in the transaction that has used so much, of each threshold that was not told of in its month.

    Organisations that never subscribed are told nothing. `causes` are the events, by organisation, that it
    follows from.
    """
    subscriptions = await store.list_subscriptions(session, sorted({org_id for org_id, _, _ in used}))
    plans = {
        org_id: domain.plan_in_force(subscription, default=Plan.FREE, now=now)
        for org_id, subscription in subscriptions.items()
    }
    limits = await store.list_limits(session) if plans else {}
    reached = {
        Reached(org_id, period, quota, percent): (limit, quantity)
        for (org_id, period, quota), quantity in used.items()
        if org_id in plans and plans[org_id] in limits
        for limit in [limits[plans[org_id]].of(quota)]
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
    session: AsyncSession, org_id: UUID, standing: domain.Standing, period: date, now: datetime
) -> None:
    """Tell of the thresholds at which an organisation stands: its plan is another one."""
    await tell_thresholds(session, {(org_id, period, quota): used for quota, used in standing.used.items()}, now)
