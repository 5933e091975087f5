"""What organisations have subscribed to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain import Plan, Subscription
from services.analytics.store.tables import subscriptions, uuid_type

_GET_SUBSCRIPTION = Prepared(
    select(subscriptions.c.plan, subscriptions.c.status, subscriptions.c.end_date).where(
        subscriptions.c.org_id == bindparam("org", type_=uuid_type)
    )
)


async def get_subscription(session: AsyncSession, org_id: UUID) -> Subscription | None:
    """Return what the organisation has subscribed to, or None."""
    row = await _GET_SUBSCRIPTION.fetch_one(session, org=org_id)
    return Subscription(Plan(row["plan"]), row["status"], row["end_date"]) if row else None


async def save_subscriptions(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write first subscriptions; an organisation that has one keeps it."""
    await session.execute(insert(subscriptions).values(list(rows)).on_conflict_do_nothing())
