"""What is to be told to webhooks and when, whosever it is; what is told stands elsewhere.

What was taken is leased: unless it is settled it is free again after LEASE_SECONDS. Each webhook has a lane: one that
fails rests between attempts, and then takes one delivery at a time, so that it costs the others nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime, MetaData, Table, text
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

LEASE_SECONDS = 60
"""Longer than any attempt takes."""

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

queue = Table(
    "webhook_queue",
    _metadata,
    Column("delivery_id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("webhook_id", _uuid),
    Column("due_at", DateTime(timezone=True)),
    Column("taken_until", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that was taken."""

    delivery_id: UUID
    org_id: UUID


_TAKE = text(
    """
    with free as (
        select due.delivery_id
        from webhook_lanes lane
        cross join lateral (
            select q.delivery_id from webhook_queue q
            where q.webhook_id = lane.webhook_id and q.due_at <= :now
                and (q.taken_until is null or q.taken_until <= :now)
            order by q.due_at
            limit greatest(0, case when lane.failing then 1 else :each end - (
                select count(*) from webhook_queue b where b.webhook_id = lane.webhook_id and b.taken_until > :now))
            for update skip locked
        ) due
        where lane.rests_until is null or lane.rests_until <= :now
        limit :most
    )
    update webhook_queue q set taken_until = :now + make_interval(secs => :lease)
    from free where q.delivery_id = free.delivery_id
    returning q.delivery_id, q.org_id
    """
)


async def take(session: AsyncSession, now: datetime, *, most: int, each: int) -> Sequence[Taken]:
    """Take what is due: at most `most`, and of one webhook no more than `each` at the same time."""
    values = {"now": now, "most": most, "each": each, "lease": float(LEASE_SECONDS)}
    rows = (await session.execute(_TAKE, values)).all()
    return [Taken(row.delivery_id, row.org_id) for row in rows]


async def settle(session: AsyncSession, delivery_id: UUID, due_at: datetime | None) -> None:
    """Put a delivery back until `due_at`, or away."""
    if due_at is None:
        await session.execute(text("delete from webhook_queue where delivery_id = :id"), {"id": delivery_id})
        return
    statement = text("update webhook_queue set due_at = :due_at, taken_until = null where delivery_id = :id")
    await session.execute(statement, {"id": delivery_id, "due_at": due_at})


async def set_lane(session: AsyncSession, webhook_id: UUID, rests_until: datetime | None) -> None:
    """Say until when a webhook that fails is left alone; None for one that does not fail."""
    statement = text("update webhook_lanes set failing = :failing, rests_until = :until where webhook_id = :id")
    await session.execute(statement, {"id": webhook_id, "failing": rests_until is not None, "until": rests_until})


async def forget(session: AsyncSession, older_than: datetime, most: int) -> int:
    """Forget finished deliveries of all organisations that are older; return how many."""
    statement = text("select forget_webhook_deliveries(:older_than, :most)")
    count: int = (await session.execute(statement, {"older_than": older_than, "most": most})).scalar_one()
    return count
