"""What organisations have, and which thresholds of their quotas they have reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Integer, Row, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain import Quota
from services.analytics.store.tables import uuid_type

GONE = 2**62
"""The revision of what is gone: nothing replaces it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Something that an organisation has: `quantity` bytes or voices. An older revision never replaces a newer one."""

    quota: Quota
    id: UUID
    org_id: UUID
    quantity: int
    revision: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A threshold of a quota."""

    org_id: UUID
    period: date
    quota: Quota
    percent: int


_SAVE_HOLDINGS = Prepared(
    text(
        """
        with changed as (
            insert into holdings as known (unit, id, org_id, quantity, revision)
            select * from unnest(:units, :ids, :orgs, :quantities, :revisions)
            on conflict (unit, id) do update set quantity = excluded.quantity, revision = excluded.revision
                where known.revision < excluded.revision
            returning new.org_id, new.unit, new.quantity - coalesce(old.quantity, 0) as more
        )
        insert into levels as known (org_id, unit, quantity)
        select org_id, unit, sum(more)::bigint from changed group by 1, 2 order by 1, 2
        on conflict (org_id, unit) do update set quantity = known.quantity + excluded.quantity
        returning org_id, unit, quantity
        """
    ).bindparams(
        *(bindparam(name, type_=ARRAY(uuid_type)) for name in ("ids", "orgs")),
        *(bindparam(name, type_=ARRAY(BigInteger)) for name in ("quantities", "revisions")),
        bindparam("units", type_=ARRAY(Text)),
    )
)
# What was found out by looking corrects what was told, unless something newer was told meanwhile.
_CORRECT_HOLDINGS = text(
    """
    with looked as (
        select * from unnest(
            cast(:units as text[]), cast(:ids as uuid[]), cast(:orgs as uuid[]), cast(:quantities as bigint[]),
            cast(:revisions as bigint[])) as looked (unit, id, org_id, quantity, revision)
        where not exists (select from erased_organizations e where e.org_id = looked.org_id)
    ), changed as (
        insert into holdings as known (unit, id, org_id, quantity, revision)
        select unit, id, org_id, quantity, revision from looked order by unit, id
        on conflict (unit, id) do update set quantity = excluded.quantity, revision = excluded.revision
            where known.revision <= excluded.revision and known.quantity <> excluded.quantity
        returning new.org_id, new.unit, new.quantity - coalesce(old.quantity, 0) as more
    )
    , added as (
        insert into levels as known (org_id, unit, quantity)
        select org_id, unit, sum(more)::bigint from changed group by 1, 2 order by 1, 2
        on conflict (org_id, unit) do update set quantity = known.quantity + excluded.quantity
    )
    select count(*) from changed
    """
)
_KNOWN_HOLDINGS = text(
    """
    select h.unit, h.id, h.org_id, h.quantity, h.revision from holdings h
    join unnest(cast(:units as text[]), cast(:ids as uuid[])) as asked (unit, id) using (unit, id)
    """
)
_HOLDINGS_BEHIND = text(
    """
    select unit, id, org_id, quantity, revision from holdings
    where quantity > 0 and (unit, id) > (:unit, cast(:id as uuid)) order by unit, id limit :limit
    """
)
_REACH = Prepared(
    text(
        """
        insert into quota_thresholds (org_id, period, unit, percent, reached_at)
        select *, :now from unnest(:orgs, :periods, :units, :percents)
        on conflict do nothing returning org_id, period, unit, percent
        """
    ).bindparams(
        bindparam("orgs", type_=ARRAY(uuid_type)),
        bindparam("periods", type_=ARRAY(Date)),
        bindparam("units", type_=ARRAY(Text)),
        bindparam("percents", type_=ARRAY(Integer)),
        bindparam("now", type_=DateTime(timezone=True)),
    )
)


async def save_holdings(session: AsyncSession, holdings: Sequence[Holding]) -> dict[tuple[UUID, Quota], int]:
    """Write what organisations have; return how much it is in all, where that changed."""
    # One row for each thing, the newest, and in one order, so that nobody deadlocks.
    newest: dict[tuple[Quota, UUID], Holding] = {}
    for one in sorted(holdings, key=lambda one: (one.quota, one.id, one.revision)):
        newest[one.quota, one.id] = one
    rows = list(newest.values())
    found = await _SAVE_HOLDINGS.fetch(
        session,
        units=[one.quota.value for one in rows],
        ids=[one.id for one in rows],
        orgs=[one.org_id for one in rows],
        quantities=[one.quantity for one in rows],
        revisions=[one.revision for one in rows],
    )
    return {(row["org_id"], Quota(row["unit"])): row["quantity"] for row in found}


async def correct_holdings(session: AsyncSession, holdings: Sequence[Holding]) -> int:
    """Write what organisations have by looking at it; return how many things were known otherwise.

    What was told of at a later revision stays, and what is of organisations that are erased is left out.
    """
    row = {
        "units": [one.quota.value for one in holdings],
        "ids": [one.id for one in holdings],
        "orgs": [one.org_id for one in holdings],
        "quantities": [one.quantity for one in holdings],
        "revisions": [one.revision for one in holdings],
    }
    return int((await session.execute(_CORRECT_HOLDINGS, row)).scalar_one())


async def get_holdings(
    session: AsyncSession, wanted: Sequence[tuple[Quota, UUID]]
) -> dict[tuple[Quota, UUID], Holding]:
    """Return what is known of these things."""
    row = {"units": [quota.value for quota, _ in wanted], "ids": [one for _, one in wanted]}
    found = [_holding(row) for row in await session.execute(_KNOWN_HOLDINGS, row)]
    return {(one.quota, one.id): one for one in found}


async def list_holdings(session: AsyncSession, *, after: tuple[str, UUID], limit: int) -> list[Holding]:
    """Return up to `limit` things that the transaction sees, by unit and id, behind `after`; without what is gone."""
    rows = await session.execute(_HOLDINGS_BEHIND, {"unit": after[0], "id": after[1], "limit": limit})
    return [_holding(row) for row in rows]


def _holding(row: Row[Any]) -> Holding:  # Any: columns of many types
    return Holding(Quota(row.unit), row.id, row.org_id, row.quantity, row.revision)


async def save_thresholds(session: AsyncSession, reached: Sequence[Reached], now: datetime) -> set[Reached]:
    """Write thresholds; return those that were not reached before in their month."""
    ordered = sorted(set(reached), key=lambda one: (one.org_id, one.period, one.quota, one.percent))
    rows = await _REACH.fetch(
        session,
        orgs=[one.org_id for one in ordered],
        periods=[one.period for one in ordered],
        units=[one.quota.value for one in ordered],
        percents=[one.percent for one in ordered],
        now=now,
    )
    return {Reached(row["org_id"], row["period"], Quota(row["unit"]), row["percent"]) for row in rows}
