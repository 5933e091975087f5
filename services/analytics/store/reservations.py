"""What is set aside, and how that is decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain import Quota, Reservation, Standing
from services.analytics.store.tables import reservations, uuid_type

_LOCK = Prepared(text("select pg_advisory_xact_lock(hashtextextended(:org, 0))"))
_GET_RESERVATION = Prepared(
    select(reservations.c.status, reservations.c.expires_at).where(
        reservations.c.id == bindparam("id", type_=uuid_type)
    )
)
_HOLD = Prepared(
    text(
        """
        insert into reservations (id, org_id, characters, status, expires_at, unit)
        values (:id, :org_id, :characters, 'held', :expires_at, :unit)
        on conflict (id) do update
            set characters = excluded.characters, expires_at = excluded.expires_at, status = excluded.status
            where reservations.status <> 'settled'
        """
    ).bindparams(
        bindparam("id", type_=uuid_type),
        bindparam("org_id", type_=uuid_type),
        bindparam("characters", type_=BigInteger),
        bindparam("unit", type_=Text),
        bindparam("expires_at", type_=DateTime(timezone=True)),
    )
)
_DECIDE = """
insert into reservations (id, org_id, characters, status, expires_at, unit)
select id, org_id, 0, '{status}', now(), :unit from unnest(:ids, :org_ids) as decided (id, org_id)
on conflict (id) do update set status = excluded.status where reservations.status {before}
returning id
"""


def _deciding(status: str, before: str) -> Prepared:
    """Decide reservations that are as `before` says, and write those that nobody asked for as decided."""
    statement = text(_DECIDE.format(status=status, before=before))
    return Prepared(
        statement.bindparams(
            bindparam("ids", type_=ARRAY(uuid_type)),
            bindparam("org_ids", type_=ARRAY(uuid_type)),
            bindparam("unit", type_=Text),
        )
    )


_SETTLE = _deciding("settled", "<> 'settled'")
_RELEASE = _deciding("released", "= 'held'")
_EXPIRE = Prepared(
    text(
        """
        update reservations set status = 'released'
        where id = any(:ids) and status = 'held' and expires_at <= :now returning id
        """
    ).bindparams(bindparam("ids", type_=ARRAY(uuid_type)), bindparam("now", type_=DateTime(timezone=True)))
)
# One statement, and so one moment: between two, a settlement would be missed by both.
_STANDING = Prepared(
    text(
        """
        select 'used' as kind, unit, quantity from usage_totals
        where org_id = :org and period = :period and unit <> 'characters_cached'
        union all
        select 'used', unit, quantity from levels where org_id = :org
        union all
        select 'held', unit, sum(characters) from reservations
        where org_id = :org and status = 'held' and expires_at > :now group by unit
        union all
        select 'held', 'requests', count(*) from reservations
        where org_id = :org and status = 'held' and expires_at > :now and unit = 'characters'
        """
    ).bindparams(
        bindparam("org", type_=uuid_type),
        bindparam("period", type_=Date),
        bindparam("now", type_=DateTime(timezone=True)),
    )
)


async def lock_organization(session: AsyncSession, org_id: UUID) -> None:
    """Let the organisation's other reservations wait until this transaction ends."""
    await _LOCK.fetch(session, org=str(org_id))


async def get_reservation(session: AsyncSession, reservation_id: UUID) -> Reservation | None:
    """Return a reservation, or None."""
    row = await _GET_RESERVATION.fetch_one(session, id=reservation_id)
    return Reservation(row["status"], row["expires_at"]) if row else None


async def hold_reservation(
    session: AsyncSession, *, reservation_id: UUID, org_id: UUID, unit: Quota, quantity: int, expires_at: datetime
) -> None:
    """Hold characters or voices, anew if they were held before; what is decided stays decided."""
    await _HOLD.fetch(
        session, id=reservation_id, org_id=org_id, characters=quantity, expires_at=expires_at, unit=unit.value
    )


async def get_standing(session: AsyncSession, org_id: UUID, period: date, now: datetime) -> Standing:
    """Return what the organisation has used of its quotas in `period`, or has, and what is held."""
    used: dict[Quota, int] = {}
    held: dict[Quota, int] = {}
    for row in await _STANDING.fetch(session, org=org_id, period=period, now=now):
        (used if row["kind"] == "used" else held)[Quota(row["unit"])] = int(row["quantity"])
    return Standing(used, held)


async def settle_reservations(
    session: AsyncSession, settled: Sequence[tuple[UUID, UUID]], unit: Quota = Quota.CHARACTERS
) -> set[UUID]:
    """Settle reservations, given as (id, organisation); return those that were not settled before.

    One that nobody asked for is written as settled, so that every generation is settled exactly once.
    """
    return {row["id"] for row in await _SETTLE.fetch(session, unit=unit.value, **_decided(settled))}


async def release_reservations(
    session: AsyncSession, released: Sequence[tuple[UUID, UUID]], unit: Quota = Quota.CHARACTERS
) -> None:
    """Release reservations, given as (id, organisation); one that nobody asked for yet will find itself released.

    A settled one stays settled.
    """
    await _RELEASE.fetch(session, unit=unit.value, **_decided(released))


async def release_expired(session: AsyncSession, expired: Sequence[UUID], now: datetime) -> int:
    """Release reservations that are held and have expired; return how many."""
    return len(await _EXPIRE.fetch(session, ids=sorted(expired), now=now))


async def list_expired(session: AsyncSession, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return expired reservations with their organisations, of all; some of them, if there are more than `limit`."""
    found = await session.execute(
        text("select id, org_id from reservations_due(:now, :most)"), {"now": now, "most": limit}
    )
    return [(row.id, row.org_id) for row in found]


def _decided(decided: Sequence[tuple[UUID, UUID]]) -> dict[str, list[UUID]]:
    # In one order, so that nobody deadlocks.
    ordered = sorted(set(decided))
    return {"ids": [one for one, _ in ordered], "org_ids": [org_id for _, org_id in ordered]}
