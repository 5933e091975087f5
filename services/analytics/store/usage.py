"""What was used, by day."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.analytics.domain import DayOfUse
from services.analytics.store.tables import usage_daily


async def list_days(session: AsyncSession, org_id: UUID, first: date, last: date) -> list[DayOfUse]:
    """Return the days of use from `first` to `last`, both included, in their order."""
    statement = (
        select(*(usage_daily.c[name] for name in DayOfUse.__slots__))
        .where(usage_daily.c.org_id == org_id, usage_daily.c.day.between(first, last))
        .order_by(usage_daily.c.day)
    )
    return [DayOfUse(**row._asdict()) for row in await session.execute(statement)]
