"""The analytics service's tables and the statements on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    MetaData,
    Numeric,
    Table,
    Text,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.analytics.domain import DayOfUse, Entry, Plan, Unit

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

usage_metrics = Table(
    "usage_metrics",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("event_id", _uuid),
    Column("org_id", _uuid),
    Column("action", Text),
    Column("quantity", Numeric),
    Column("unit", Text),
    Column("resource_id", _uuid),
    Column("metadata", JSONB),
    Column("created_at", DateTime(timezone=True), primary_key=True),
)

usage_totals = Table(
    "usage_totals",
    _metadata,
    Column("org_id", _uuid, primary_key=True),
    Column("period", Date, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("quantity", Numeric),
)

usage_daily = Table(
    "usage_daily",
    _metadata,
    Column("org_id", _uuid, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("characters", Numeric),
    Column("audio_seconds", Numeric),
    Column("generations", BigInteger),
)

reservations = Table(
    "reservations",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("org_id", _uuid),
    Column("characters", BigInteger),
    Column("status", Text),
    Column("expires_at", DateTime(timezone=True)),
)

subscriptions = Table(
    "subscriptions",
    _metadata,
    Column("org_id", _uuid, primary_key=True),
    Column("plan", Text),
    Column("status", Text),
    Column("start_date", DateTime(timezone=True)),
    Column("end_date", DateTime(timezone=True)),
)


def _adding(table: Table, *names: str) -> Insert:
    """Insert into `table`, or add to what is there under the same key."""
    statement = insert(table)
    added = {name: table.c[name] + statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=added)


def _deciding() -> Insert:
    statement = insert(reservations)
    return statement.on_conflict_do_update(
        index_elements=[reservations.c.id],
        set_={"status": statement.excluded.status},
        where=reservations.c.status != "settled",
    )


# Made once: building and taking apart a statement costs several times what executing it does.
_GET_PLAN = select(subscriptions.c.plan).where(
    subscriptions.c.org_id == bindparam("org", type_=_uuid), subscriptions.c.status == "active"
)
_INSERT_ENTRY = insert(usage_metrics)
_ADD_TO_TOTAL = _adding(usage_totals, "quantity")
_ADD_TO_DAY = _adding(usage_daily, "characters", "audio_seconds", "generations")
_DECIDE = _deciding()


async def get_plan(session: AsyncSession, org_id: UUID) -> Plan | None:
    """Return the plan of the organisation's active subscription, or None."""
    plan = (await session.execute(_GET_PLAN, {"org": org_id})).scalar_one_or_none()
    return Plan(plan) if plan else None


async def save_subscriptions(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write first subscriptions; an organisation that has one keeps it."""
    await session.execute(insert(subscriptions).values(list(rows)).on_conflict_do_nothing())


async def lock_organization(session: AsyncSession, org_id: UUID) -> None:
    """Let the organisation's other reservations wait until this transaction ends."""
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended(:org, 0))"), {"org": str(org_id)})


async def get_reservation(session: AsyncSession, reservation_id: UUID) -> str | None:
    """Return the status of a reservation, or None when there is none."""
    statement = select(reservations.c.status).where(reservations.c.id == reservation_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def insert_reservation(
    session: AsyncSession, *, reservation_id: UUID, org_id: UUID, characters: int, expires_at: datetime
) -> None:
    """Hold characters; a reservation that is there already stays as it is."""
    await session.execute(
        insert(reservations)
        .values(id=reservation_id, org_id=org_id, characters=characters, status="held", expires_at=expires_at)
        .on_conflict_do_nothing()
    )


async def used_and_reserved(session: AsyncSession, org_id: UUID, period: date, now: datetime) -> tuple[int, int]:
    """Return the characters that the organisation has used in `period`, and those that are held."""
    used = await session.execute(
        select(func.coalesce(func.sum(usage_totals.c.quantity), 0)).where(
            usage_totals.c.org_id == org_id, usage_totals.c.period == period, usage_totals.c.unit == Unit.CHARACTERS
        )
    )
    held = await session.execute(
        select(func.coalesce(func.sum(reservations.c.characters), 0)).where(
            reservations.c.org_id == org_id, reservations.c.status == "held", reservations.c.expires_at > now
        )
    )
    return int(used.scalar_one()), int(held.scalar_one())


async def decide_reservations(
    session: AsyncSession, decided: Sequence[tuple[UUID, UUID]], *, status: str, now: datetime
) -> None:
    """Settle or release reservations, given as (id, organisation).

    One that nobody asked for yet is written as decided, so that a late request finds it. A settled
    one stays settled.
    """
    rows = [
        {"id": reservation_id, "org_id": org_id, "characters": 0, "status": status, "expires_at": now}
        for reservation_id, org_id in decided
    ]
    await session.execute(_DECIDE, rows)


async def recorded_resources(session: AsyncSession, resource_ids: Sequence[UUID]) -> set[UUID]:
    """Return those resources that the ledger has already."""
    statement = select(usage_metrics.c.resource_id).where(usage_metrics.c.resource_id.in_(resource_ids)).distinct()
    return set((await session.execute(statement)).scalars())


async def insert_entries(session: AsyncSession, entries: Sequence[Entry]) -> None:
    """Write lines of the ledger."""
    rows = [
        {
            "id": entry.id,
            "event_id": entry.event_id,
            "org_id": entry.org_id,
            "action": "generation",
            "quantity": entry.quantity,
            "unit": str(entry.unit),
            "resource_id": entry.resource_id,
            "metadata": {},
            "created_at": entry.at,
        }
        for entry in entries
    ]
    await session.execute(_INSERT_ENTRY, rows)


async def add_to_totals(session: AsyncSession, sums: dict[tuple[UUID, date, str], Decimal]) -> None:
    """Add quantities to the totals by (organisation, period, unit); in one order, so that nobody deadlocks."""
    rows = [
        {"org_id": org_id, "period": period, "unit": unit, "quantity": quantity}
        for (org_id, period, unit), quantity in sorted(sums.items())
    ]
    await session.execute(_ADD_TO_TOTAL, rows)


async def add_to_days(session: AsyncSession, days: dict[tuple[UUID, date], DayOfUse]) -> None:
    """Add to what organisations used on days; in one order, so that nobody deadlocks."""
    rows = [
        {
            "org_id": org_id,
            "day": day,
            "characters": use.characters,
            "audio_seconds": use.audio_seconds,
            "generations": use.generations,
        }
        for (org_id, day), use in sorted(days.items(), key=lambda item: item[0])
    ]
    await session.execute(_ADD_TO_DAY, rows)


async def list_days(session: AsyncSession, org_id: UUID, first: date, last: date) -> list[DayOfUse]:
    """Return the days of use from `first` to `last`, both included, in their order."""
    statement = (
        select(usage_daily.c.day, usage_daily.c.characters, usage_daily.c.audio_seconds, usage_daily.c.generations)
        .where(usage_daily.c.org_id == org_id, usage_daily.c.day.between(first, last))
        .order_by(usage_daily.c.day)
    )
    return [DayOfUse(**row._asdict()) for row in await session.execute(statement)]


async def make_partitions(session: AsyncSession, months_ahead: int) -> None:
    """Make the ledger's partitions for this month and the following ones."""
    await session.execute(select(func.usage_maintain(months_ahead)))
