"""Adding up anew what is not what the ledger says."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

_ENTRIES = """
with entries as (
    select unit, quantity, (created_at at time zone 'UTC')::date as day from usage_metrics
    where org_id = :org and created_at >= :month ::date::timestamp at time zone 'UTC'
        and created_at < (:month ::date + interval '1 month')::timestamp at time zone 'UTC'
    union all
    select 'requests', 1, (created_at at time zone 'UTC')::date from usage_metrics
    where org_id = :org and unit = 'characters' and created_at >= :month ::date::timestamp at time zone 'UTC'
        and created_at < (:month ::date + interval '1 month')::timestamp at time zone 'UTC')
"""


def _over_entries(statement: str) -> TextClause:
    return text(_ENTRIES + statement)


# Rows first, and held: whoever has added to the ledger and not yet to a sum waits, and adds to what is counted here.
_MONTH = (
    _over_entries(
        """
        insert into usage_totals (org_id, period, unit, quantity) select distinct :org ::uuid, :month ::date, unit, 0
        from entries on conflict do nothing
        """
    ),
    _over_entries(
        """
        insert into usage_daily (org_id, day, characters, audio_seconds, generations, characters_cached)
        select distinct :org ::uuid, day, 0, 0, 0, 0 from entries on conflict do nothing
        """
    ),
    text(
        """
        select unit from usage_totals where org_id = :org and period = :month order by unit for update
        """
    ),
    text(
        """
        select day from usage_daily where org_id = :org and day >= :month
            and day < (:month ::date + interval '1 month')::date order by day for update
        """
    ),
    _over_entries(
        """
        update usage_totals set quantity = coalesce(
            (select sum(entries.quantity) from entries where entries.unit = usage_totals.unit), 0)
        where org_id = :org and period = :month
        """
    ),
    _over_entries(
        """
        , days as (
            select day, sum(quantity) filter (where unit = 'characters') as characters,
                sum(quantity) filter (where unit = 'audio_seconds') as audio_seconds,
                sum(quantity) filter (where unit = 'requests') as generations,
                sum(quantity) filter (where unit = 'characters_cached') as characters_cached
            from entries group by day)
        update usage_daily set characters = coalesce(days.characters, 0),
            audio_seconds = coalesce(days.audio_seconds, 0), generations = coalesce(days.generations, 0),
            characters_cached = coalesce(days.characters_cached, 0)
        from (select known.day as known_day from usage_daily known where known.org_id = :org and known.day >= :month
            and known.day < (:month ::date + interval '1 month')::date) as known left join days on days.day = known_day
        where usage_daily.org_id = :org and usage_daily.day = known_day
        """
    ),
    # Whoever adds to them holds a total first.
    text(
        """
        delete from usage_quarters
        where org_id = :org and begins_at >= :month ::date::timestamp at time zone 'UTC'
            and begins_at < (:month ::date + interval '1 month')::timestamp at time zone 'UTC'
        """
    ),
    text(
        """
        insert into usage_quarters (org_id, begins_at, voice_id, key_id, user_id, format,
            characters, audio_seconds, generations, characters_cached)
        select org_id, date_bin('15 minutes', created_at, '2000-01-01Z'), voice_id, key_id, user_id, format,
            coalesce(sum(quantity) filter (where unit = 'characters'), 0),
            coalesce(sum(quantity) filter (where unit = 'audio_seconds'), 0),
            count(*) filter (where unit = 'characters'),
            coalesce(sum(quantity) filter (where unit = 'characters_cached'), 0)
        from usage_metrics
        where org_id = :org and created_at >= :month ::date::timestamp at time zone 'UTC'
            and created_at < (:month ::date + interval '1 month')::timestamp at time zone 'UTC'
        group by 1, 2, 3, 4, 5, 6
        """
    ),
)
_LEVELS = tuple(
    text(statement)
    for statement in (
        """
        insert into levels (org_id, unit, quantity) select distinct org_id, unit, 0 from holdings where org_id = :org
        on conflict do nothing
        """,
        "select unit from levels where org_id = :org order by unit for update",
        """
        update levels set quantity = coalesce(
            (select sum(h.quantity) from holdings h where h.org_id = levels.org_id and h.unit = levels.unit), 0)
        where org_id = :org
        """,
    )
)


async def add_up_month(session: AsyncSession, org_id: UUID, month: date) -> None:
    """Make the sums of an organisation's month what the ledger says, beside others who add to them."""
    for statement in _MONTH:
        await session.execute(statement, {"org": org_id, "month": month})


async def add_up_levels(session: AsyncSession, org_id: UUID) -> None:
    """Make what an organisation has in all the sum of what it has."""
    for statement in _LEVELS:
        await session.execute(statement, {"org": org_id})
