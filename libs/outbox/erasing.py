"""Deleting all that a service has of one organisation, in transactions that are short."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import CursorResult, column, delete, select, table, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.database import Database
from libs.messaging import Delivery, inbox, tombstones
from libs.outbox.outbox import add

ROWS_AT_ONCE = 10_000
ARCHIVE = "outbox_sent"
"""Published events, which would otherwise be kept for weeks, and published again by a replay."""


async def erase_rows(database: Database, org_id: UUID, tables: Sequence[str]) -> dict[str, int]:
    """Delete an organisation's rows of `tables`, in this order, and its published events; return how many of each.

    Each table has the column `org_id`. Safe to repeat: what is gone is not counted again. First of all it is noted that
    the organisation is erased, so that events which come later bring nothing back.
    """
    async with database.transaction(org_id) as session:
        await tombstones.bury(session, org_id)
    counts = {}
    for name in (*tables, ARCHIVE):
        counts[name] = 0
        while True:
            async with database.transaction(org_id) as session:
                deleted = await erase_some(session, org_id, name)
            counts[name] += deleted
            if deleted < ROWS_AT_ONCE:
                break
    return counts


async def erase_some(session: AsyncSession, org_id: UUID, name: str, *, limit: int = ROWS_AT_ONCE) -> int:
    """Delete up to `limit` of an organisation's rows of a table, which may have partitions; return how many."""
    rows = table(name, column("tableoid"), column("ctid"), column("org_id"))
    place = tuple_(rows.c.tableoid, rows.c.ctid)
    some = select(rows.c.tableoid, rows.c.ctid).where(rows.c.org_id == org_id).limit(limit)
    result = await session.execute(delete(rows).where(place.in_(some)))
    # Any: SQLAlchemy's type of an unknown row.
    return cast("CursorResult[Any]", result).rowcount


async def tell_erased(
    database: Database,
    delivery: Delivery[OrganizationErasureRequested],
    consumer: str,
    counts: Mapping[str, int],
    erased: Callable[..., Message],
    now: datetime,
) -> None:
    """Tell, once, how much was deleted; `erased` makes the service's own event of it, `consumer` is the durable."""
    event = delivery.event
    async with database.transaction(UUID(event.org_id)) as session:
        if await inbox.is_new(session, consumer, delivery.event_id):
            told = erased(
                org_id=event.org_id, erasure_id=event.erasure_id, round=event.round, counts=counts, erased_at=now
            )
            add(session, told)
