"""What organisations have subscribed to, and what plans cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from sqlalchemy import any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain import Limits, Plan, Subscription
from services.analytics.store.tables import plan_limits, subscriptions, uuid_type

_COLUMNS = tuple(
    subscriptions.c[name]
    for name in ("plan", "status", "end_date", "start_date", "next_plan", "changes_at", "revision")
)
_GET_SUBSCRIPTION = Prepared(select(*_COLUMNS).where(subscriptions.c.org_id == bindparam("org", type_=uuid_type)))
_LIST_SUBSCRIPTIONS = Prepared(
    select(subscriptions.c.org_id, *_COLUMNS).where(
        subscriptions.c.org_id == any_(bindparam("orgs", type_=ARRAY(uuid_type)))
    )
)
_LIST_LIMITS = select(plan_limits.c.plan, plan_limits.c.limits)


def _subscription(row: Record) -> Subscription:
    following = row["next_plan"]
    return Subscription(
        plan=Plan(row["plan"]),
        status=row["status"],
        end_date=row["end_date"],
        start_date=row["start_date"],
        next_plan=Plan(following) if following else None,
        changes_at=row["changes_at"],
        revision=row["revision"],
    )


async def get_subscription(session: AsyncSession, org_id: UUID) -> Subscription | None:
    """Return what the organisation has subscribed to, or None."""
    row = await _GET_SUBSCRIPTION.fetch_one(session, org=org_id)
    return _subscription(row) if row else None


async def list_subscriptions(session: AsyncSession, org_ids: Sequence[UUID]) -> dict[UUID, Subscription]:
    """Return what organisations have subscribed to; those that never did are left out."""
    rows = await _LIST_SUBSCRIPTIONS.fetch(session, orgs=list(org_ids))
    return {row["org_id"]: _subscription(row) for row in rows}


async def save_subscriptions(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write first subscriptions; an organisation that has one keeps it."""
    await session.execute(insert(subscriptions).values(list(rows)).on_conflict_do_nothing())


async def save_subscription(session: AsyncSession, org_id: UUID, subscription: Subscription) -> None:
    """Write what an organisation has subscribed to from now on."""
    values = asdict(subscription)
    statement = insert(subscriptions).values(org_id=org_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_=values))


async def list_due_subscriptions(session: AsyncSession, now: datetime, limit: int) -> list[UUID]:
    """Return organisations whose subscription ends or changes by now; some of them, if there are more than `limit`."""
    return list((await session.execute(select(func.subscriptions_due(now, limit)))).scalars())


async def save_limits(session: AsyncSession, limits: Mapping[Plan, Limits]) -> None:
    """Write what the plans cover."""
    rows = [{"plan": plan.value, "limits": asdict(covered)} for plan, covered in limits.items()]
    statement = insert(plan_limits).values(rows)
    changed = statement.excluded.limits
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["plan"], set_={"limits": changed}, where=plan_limits.c.limits != changed
        )
    )


async def list_limits(session: AsyncSession) -> dict[Plan, Limits]:
    """Return what the plans cover; nothing before the first process has begun."""
    return {Plan(row.plan): Limits(**row.limits) for row in await session.execute(_LIST_LIMITS)}
