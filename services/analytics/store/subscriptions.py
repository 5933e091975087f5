"""What organisations have subscribed to, and what plans cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from sqlalchemy import any_, bindparam, func, or_, select
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
_LIST_LIMITS = select(plan_limits.c.plan, plan_limits.c.limits, plan_limits.c.is_default)


@dataclass(frozen=True, slots=True)
class KnownPlans:
    """What the plans cover; `default` is the plan of organisations that never subscribed."""

    limits: Mapping[Plan, Limits]
    default: Plan


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


async def save_subscriptions(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> list[UUID]:
    """Write first subscriptions; an organisation that has one keeps it. Return those that had none."""
    statement = insert(subscriptions).values(list(rows)).on_conflict_do_nothing().returning(subscriptions.c.org_id)
    return list((await session.execute(statement)).scalars())


async def save_subscription(session: AsyncSession, org_id: UUID, subscription: Subscription) -> None:
    """Write what an organisation has subscribed to from now on."""
    values = asdict(subscription)
    statement = insert(subscriptions).values(org_id=org_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_=values))


async def list_due_subscriptions(session: AsyncSession, now: datetime, limit: int) -> list[UUID]:
    """Return organisations whose subscription ends or changes by now; some of them, if there are more than `limit`."""
    return list((await session.execute(select(func.subscriptions_due(now, limit)))).scalars())


async def save_limits(session: AsyncSession, limits: Mapping[Plan, Limits], default: Plan) -> None:
    """Write what the plans cover, and which of them counts where nobody subscribed."""
    rows = [
        {"plan": plan.value, "limits": asdict(covered), "is_default": plan is default}
        for plan, covered in limits.items()
    ]
    statement = insert(plan_limits).values(rows)
    new = statement.excluded
    is_another = or_(plan_limits.c.limits != new.limits, plan_limits.c.is_default != new.is_default)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["plan"], set_={"limits": new.limits, "is_default": new.is_default}, where=is_another
        )
    )


async def get_plans(session: AsyncSession) -> KnownPlans | None:
    """Return what the plans cover; None before the first process has begun."""
    rows = (await session.execute(_LIST_LIMITS)).all()
    default = next((Plan(row.plan) for row in rows if row.is_default), None)
    if default is None:
        return None
    return KnownPlans({Plan(row.plan): Limits(**row.limits) for row in rows}, default)
