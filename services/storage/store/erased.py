"""Organisations that are erased, and when their objects are looked for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of

SWEPT_AGAIN = timedelta(minutes=15)
"""After which what somebody began to sweep, and did not finish, is somebody else's."""

_CLAIM = """
update erased_organizations set sweep_at = $2
where org_id in (
    select org_id from erased_organizations where sweep_at <= $1 order by sweep_at limit $3 for update skip locked
)
returning org_id, erased_at
"""
_NEXT = "update erased_organizations set sweep_at = $2 where org_id = $1"


async def claim_due(session: AsyncSession, now: datetime, most: int) -> Sequence[tuple[UUID, datetime]]:
    """Return organisations whose objects are to be looked for, and since when they are erased; each for one caller."""
    rows = await driver_of(session).fetch(_CLAIM, now, now + SWEPT_AGAIN, most)
    return [(row["org_id"], row["erased_at"]) for row in rows]


async def sweep_next(session: AsyncSession, org_id: UUID, at: datetime | None) -> None:
    """Note when an organisation's objects are looked for next; None: never again."""
    await driver_of(session).execute(_NEXT, org_id, at)
