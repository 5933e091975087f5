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
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain import DayOfUse, Entry, Plan, Reservation, Subscription, Unit

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

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


_LOCK = Prepared(text("select pg_advisory_xact_lock(hashtextextended(:org, 0))"))
_GET_SUBSCRIPTION = Prepared(
    select(subscriptions.c.plan, subscriptions.c.status, subscriptions.c.end_date).where(
        subscriptions.c.org_id == bindparam("org", type_=_uuid)
    )
)
_GET_RESERVATION = Prepared(
    select(reservations.c.status, reservations.c.expires_at).where(reservations.c.id == bindparam("id", type_=_uuid))
)
_HOLD = Prepared(
    text(
        """
        insert into reservations (id, org_id, characters, status, expires_at)
        values (:id, :org_id, :characters, 'held', :expires_at)
        on conflict (id) do update
            set characters = excluded.characters, expires_at = excluded.expires_at, status = excluded.status
            where reservations.status <> 'settled'
        """
    ).bindparams(
        bindparam("id", type_=_uuid),
        bindparam("org_id", type_=_uuid),
        bindparam("characters", type_=BigInteger),
        bindparam("expires_at", type_=DateTime(timezone=True)),
    )
)
_DECIDE = """
insert into reservations (id, org_id, characters, status, expires_at)
select id, org_id, 0, '{status}', now() from unnest(:ids, :org_ids) as decided (id, org_id)
on conflict (id) do update set status = excluded.status where reservations.status {before}
returning id
"""


def _deciding(status: str, before: str) -> Prepared:
    """Decide reservations that are as `before` says, and write those that nobody asked for as decided."""
    statement = text(_DECIDE.format(status=status, before=before))
    return Prepared(
        statement.bindparams(bindparam("ids", type_=ARRAY(_uuid)), bindparam("org_ids", type_=ARRAY(_uuid)))
    )


_SETTLE = _deciding("settled", "<> 'settled'")
_RELEASE = _deciding("released", "= 'held'")
_RECORD = Prepared(
    text(
        """
        with ledger as (
            insert into usage_metrics (id, event_id, org_id, action, quantity, unit, resource_id, metadata, created_at)
            select id, event_id, org_id, 'generation', quantity, unit, resource_id, '{}'::jsonb, created_at
            from unnest(:ids, :event_ids, :org_ids, :quantities, :units, :resource_ids, :times)
                as entry (id, event_id, org_id, quantity, unit, resource_id, created_at)
        ), total as (
            insert into usage_totals (org_id, period, unit, quantity)
            select * from unnest(:total_orgs, :total_periods, :total_units, :total_quantities)
            on conflict (org_id, period, unit) do update set quantity = usage_totals.quantity + excluded.quantity
        )
        insert into usage_daily (org_id, day, characters, audio_seconds, generations, characters_cached)
        select * from unnest(:day_orgs, :days, :characters, :seconds, :generations, :cached)
        on conflict (org_id, day) do update
            set characters = usage_daily.characters + excluded.characters,
                audio_seconds = usage_daily.audio_seconds + excluded.audio_seconds,
                generations = usage_daily.generations + excluded.generations,
                characters_cached = usage_daily.characters_cached + excluded.characters_cached
        """
    ).bindparams(
        *(
            bindparam(name, type_=ARRAY(_uuid))
            for name in ("ids", "event_ids", "org_ids", "resource_ids", "total_orgs", "day_orgs")
        ),
        *(bindparam(name, type_=ARRAY(Text)) for name in ("units", "total_units")),
        *(
            bindparam(name, type_=ARRAY(Numeric))
            for name in ("quantities", "total_quantities", "characters", "seconds", "cached")
        ),
        *(bindparam(name, type_=ARRAY(Date)) for name in ("total_periods", "days")),
        bindparam("times", type_=ARRAY(DateTime(timezone=True))),
        bindparam("generations", type_=ARRAY(BigInteger)),
    )
)
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
_USED_AND_RESERVED = Prepared(select(_USED.scalar_subquery().label("used"), _HELD.scalar_subquery().label("held")))


async def get_subscription(session: AsyncSession, org_id: UUID) -> Subscription | None:
    """Return what the organisation has subscribed to, or None."""
    row = await _GET_SUBSCRIPTION.fetch_one(session, org=org_id)
    return Subscription(Plan(row["plan"]), row["status"], row["end_date"]) if row else None


async def save_subscriptions(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write first subscriptions; an organisation that has one keeps it."""
    await session.execute(insert(subscriptions).values(list(rows)).on_conflict_do_nothing())


async def lock_organization(session: AsyncSession, org_id: UUID) -> None:
    """Let the organisation's other reservations wait until this transaction ends."""
    await _LOCK.fetch(session, org=str(org_id))


async def get_reservation(session: AsyncSession, reservation_id: UUID) -> Reservation | None:
    """Return a reservation, or None."""
    row = await _GET_RESERVATION.fetch_one(session, id=reservation_id)
    return Reservation(row["status"], row["expires_at"]) if row else None


async def hold_reservation(
    session: AsyncSession, *, reservation_id: UUID, org_id: UUID, characters: int, expires_at: datetime
) -> None:
    """Hold characters, anew if they were held before; what is decided stays decided."""
    row = {"id": reservation_id, "org_id": org_id, "characters": characters, "expires_at": expires_at}
    await _HOLD.fetch(session, **row)


async def used_and_reserved(session: AsyncSession, org_id: UUID, period: date, now: datetime) -> tuple[int, int]:
    """Return the characters that the organisation has used in `period`, and those that are held.

    One statement, and so one moment: between two, a settlement would be missed by both.
    """
    row = await _USED_AND_RESERVED.fetch_one(session, org=org_id, period=period, now=now)
    assert row is not None
    return int(row["used"]), int(row["held"])


async def settle_reservations(session: AsyncSession, settled: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Settle reservations, given as (id, organisation); return those that were not settled before.

    One that nobody asked for is written as settled, so that every generation is settled exactly once.
    """
    return {row["id"] for row in await _SETTLE.fetch(session, **_decided(settled))}


async def release_reservations(session: AsyncSession, released: Sequence[tuple[UUID, UUID]]) -> None:
    """Release reservations, given as (id, organisation); one that nobody asked for yet will find itself released.

    A settled one stays settled.
    """
    await _RELEASE.fetch(session, **_decided(released))


def _decided(decided: Sequence[tuple[UUID, UUID]]) -> dict[str, list[UUID]]:
    # In one order, so that nobody deadlocks.
    ordered = sorted(set(decided))
    return {"ids": [one for one, _ in ordered], "org_ids": [org_id for _, org_id in ordered]}


async def record_usage(
    session: AsyncSession,
    entries: Sequence[Entry],
    totals: dict[tuple[UUID, date, str], Decimal],
    days: dict[tuple[UUID, date], DayOfUse],
) -> None:
    """Write lines of the ledger, and add to totals by (organisation, period, unit) and to what was used on days."""
    # In one order, so that nobody deadlocks.
    sums = sorted(totals.items())
    uses = sorted(days.items(), key=lambda item: item[0])
    await _RECORD.fetch(
        session,
        ids=[entry.id for entry in entries],
        event_ids=[entry.event_id for entry in entries],
        org_ids=[entry.org_id for entry in entries],
        quantities=[entry.quantity for entry in entries],
        units=[str(entry.unit) for entry in entries],
        resource_ids=[entry.resource_id for entry in entries],
        times=[entry.at for entry in entries],
        total_orgs=[org_id for (org_id, _, _), _ in sums],
        total_periods=[period for (_, period, _), _ in sums],
        total_units=[unit for (_, _, unit), _ in sums],
        total_quantities=[quantity for _, quantity in sums],
        day_orgs=[org_id for (org_id, _), _ in uses],
        days=[day for (_, day), _ in uses],
        characters=[use.characters for _, use in uses],
        seconds=[use.audio_seconds for _, use in uses],
        generations=[use.generations for _, use in uses],
        cached=[use.characters_cached for _, use in uses],
    )


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
