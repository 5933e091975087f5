"""What is set aside, and how that is decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain import Reservation, Unit
from services.analytics.store.tables import reservations, usage_totals, uuid_type

_LOCK = Prepared(text("select pg_advisory_xact_lock(hashtextextended(:org, 0))"))
_GET_RESERVATION = Prepared(
    select(reservations.c.status, reservations.c.expires_at).where(
        reservations.c.id == bindparam("id", type_=uuid_type)
    )
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
        bindparam("id", type_=uuid_type),
        bindparam("org_id", type_=uuid_type),
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
        statement.bindparams(bindparam("ids", type_=ARRAY(uuid_type)), bindparam("org_ids", type_=ARRAY(uuid_type)))
    )


_SETTLE = _deciding("settled", "<> 'settled'")
_RELEASE = _deciding("released", "= 'held'")
_USED = select(func.coalesce(func.sum(usage_totals.c.quantity), 0)).where(
    usage_totals.c.org_id == bindparam("org", type_=uuid_type),
    usage_totals.c.period == bindparam("period", type_=Date),
    usage_totals.c.unit == str(Unit.CHARACTERS),
)
_HELD = select(func.coalesce(func.sum(reservations.c.characters), 0)).where(
    reservations.c.org_id == bindparam("org", type_=uuid_type),
    reservations.c.status == "held",
    reservations.c.expires_at > bindparam("now", type_=DateTime(timezone=True)),
)
_USED_AND_RESERVED = Prepared(select(_USED.scalar_subquery().label("used"), _HELD.scalar_subquery().label("held")))


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
