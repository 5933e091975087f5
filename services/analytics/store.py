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
    ColumnElement,
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

from services.analytics.domain import DayOfUse, Entry, Plan, Reservation, Subscription, Unit

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
    Column("characters_cached", Numeric),
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


def _deciding(where: ColumnElement[bool], *names: str, **values: ColumnElement[Any]) -> Insert:
    """Insert a reservation, or renew what `names` say of the one that is there, if it is as `where` says."""
    statement = insert(reservations).values(values) if values else insert(reservations)
    renewed = {name: statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=[reservations.c.id], set_=renewed, where=where)


# Made once: building and taking apart a statement costs several times what executing it does.
_GET_SUBSCRIPTION = select(subscriptions.c.plan, subscriptions.c.status, subscriptions.c.end_date).where(
    subscriptions.c.org_id == bindparam("org", type_=_uuid)
)
_INSERT_ENTRY = insert(usage_metrics)
_ADD_TO_TOTAL = _adding(usage_totals, "quantity")
_ADD_TO_DAY = _adding(usage_daily, "characters", "audio_seconds", "generations", "characters_cached")
_GET_RESERVATION = select(reservations.c.status, reservations.c.expires_at).where(
    reservations.c.id == bindparam("id", type_=_uuid)
)
_HOLD = _deciding(reservations.c.status != "settled", "characters", "expires_at", "status")
_SETTLE = _deciding(reservations.c.status != "settled", "status", expires_at=func.now()).returning(reservations.c.id)
_RELEASE = _deciding(reservations.c.status == "held", "status", expires_at=func.now())
_USED = select(func.coalesce(func.sum(usage_totals.c.quantity), 0)).where(
    usage_totals.c.org_id == bindparam("org", type_=_uuid),
    usage_totals.c.period == bindparam("period", type_=Date),
    usage_totals.c.unit == str(Unit.CHARACTERS),
)
_HELD = select(func.coalesce(func.sum(reservations.c.characters), 0)).where(
    reservations.c.org_id == bindparam("org", type_=_uuid),
    reservations.c.status == "held",
    reservations.c.expires_at > bindparam("now", type_=DateTime(timezone=True)),
)
_USED_AND_RESERVED = select(_USED.scalar_subquery().label("used"), _HELD.scalar_subquery().label("held"))


async def get_subscription(session: AsyncSession, org_id: UUID) -> Subscription | None:
    """Return what the organisation has subscribed to, or None."""
    row = (await session.execute(_GET_SUBSCRIPTION, {"org": org_id})).one_or_none()
    return Subscription(Plan(row.plan), row.status, row.end_date) if row else None


async def save_subscriptions(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write first subscriptions; an organisation that has one keeps it."""
    await session.execute(insert(subscriptions).values(list(rows)).on_conflict_do_nothing())


async def lock_organization(session: AsyncSession, org_id: UUID) -> None:
    """Let the organisation's other reservations wait until this transaction ends."""
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended(:org, 0))"), {"org": str(org_id)})


async def get_reservation(session: AsyncSession, reservation_id: UUID) -> Reservation | None:
    """Return a reservation, or None."""
    row = (await session.execute(_GET_RESERVATION, {"id": reservation_id})).one_or_none()
    return Reservation(row.status, row.expires_at) if row else None


async def hold_reservation(
    session: AsyncSession, *, reservation_id: UUID, org_id: UUID, characters: int, expires_at: datetime
) -> None:
    """Hold characters, anew if they were held before; what is decided stays decided."""
    row = {"id": reservation_id, "org_id": org_id, "characters": characters, "status": "held", "expires_at": expires_at}
    await session.execute(_HOLD, row)


async def used_and_reserved(session: AsyncSession, org_id: UUID, period: date, now: datetime) -> tuple[int, int]:
    """Return the characters that the organisation has used in `period`, and those that are held.

    One statement, and so one moment: between two, a settlement would be missed by both.
    """
    row = (await session.execute(_USED_AND_RESERVED, {"org": org_id, "period": period, "now": now})).one()
    return int(row.used), int(row.held)


async def settle_reservations(session: AsyncSession, settled: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Settle reservations, given as (id, organisation); return those that were not settled before.

    One that nobody asked for is written as settled, so that every generation is settled exactly once.
    """
    return set((await session.execute(_SETTLE, _decided(settled, "settled"))).scalars())


async def release_reservations(session: AsyncSession, released: Sequence[tuple[UUID, UUID]]) -> None:
    """Release reservations, given as (id, organisation); one that nobody asked for yet will find itself released.

    A settled one stays settled.
    """
    await session.execute(_RELEASE, _decided(released, "released"))


def _decided(decided: Sequence[tuple[UUID, UUID]], status: str) -> list[dict[str, Any]]:
    # In one order, so that nobody deadlocks.
    return [
        {"id": reservation_id, "org_id": org_id, "characters": 0, "status": status}
        for reservation_id, org_id in sorted(set(decided))
    ]


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
            "characters_cached": use.characters_cached,
        }
        for (org_id, day), use in sorted(days.items(), key=lambda item: item[0])
    ]
    await session.execute(_ADD_TO_DAY, rows)


async def list_days(session: AsyncSession, org_id: UUID, first: date, last: date) -> list[DayOfUse]:
    """Return the days of use from `first` to `last`, both included, in their order."""
    statement = (
        select(*(usage_daily.c[name] for name in DayOfUse.__slots__))
        .where(usage_daily.c.org_id == org_id, usage_daily.c.day.between(first, last))
        .order_by(usage_daily.c.day)
    )
    return [DayOfUse(**row._asdict()) for row in await session.execute(statement)]


async def make_partitions(session: AsyncSession, today: date, months_ahead: int) -> None:
    """Make the ledger's partitions for the month of `today` and the following ones."""
    await session.execute(select(func.usage_maintain(today, months_ahead)))
