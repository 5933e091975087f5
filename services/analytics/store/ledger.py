"""The ledger, and the sums made from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Numeric, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain import DayOfUse, Entry
from services.analytics.store.tables import uuid_type

_RECORD = Prepared(
    text(
        """
        with ledger as (
            insert into usage_metrics (id, event_id, org_id, action, quantity, unit, resource_id, metadata, created_at,
                voice_id, key_id, user_id, format)
            select id, event_id, org_id, 'generation', quantity, unit, resource_id, '{}'::jsonb, created_at,
                voice_id, key_id, user_id, format
            from unnest(:ids, :event_ids, :org_ids, :quantities, :units, :resource_ids, :times,
                    :voices, :keys, :users, :formats)
                as entry (id, event_id, org_id, quantity, unit, resource_id, created_at,
                    voice_id, key_id, user_id, format)
        ), total as (
            insert into usage_totals (org_id, period, unit, quantity)
            select * from unnest(:total_orgs, :total_periods, :total_units, :total_quantities)
            on conflict (org_id, period, unit) do update set quantity = usage_totals.quantity + excluded.quantity
            returning org_id, period, unit, quantity
        ), days as (
            insert into usage_daily (org_id, day, characters, audio_seconds, generations, characters_cached)
            select * from unnest(:day_orgs, :days, :characters, :seconds, :generations, :cached)
            on conflict (org_id, day) do update
                set characters = usage_daily.characters + excluded.characters,
                    audio_seconds = usage_daily.audio_seconds + excluded.audio_seconds,
                    generations = usage_daily.generations + excluded.generations,
                    characters_cached = usage_daily.characters_cached + excluded.characters_cached
        )
        select org_id, period, unit, quantity from total
        """
    ).bindparams(
        *(
            bindparam(name, type_=ARRAY(uuid_type))
            for name in (
                "ids",
                "event_ids",
                "org_ids",
                "resource_ids",
                "total_orgs",
                "day_orgs",
                "voices",
                "keys",
                "users",
            )
        ),
        *(bindparam(name, type_=ARRAY(Text)) for name in ("units", "total_units", "formats")),
        *(
            bindparam(name, type_=ARRAY(Numeric))
            for name in ("quantities", "total_quantities", "characters", "seconds", "cached")
        ),
        *(bindparam(name, type_=ARRAY(Date)) for name in ("total_periods", "days")),
        bindparam("times", type_=ARRAY(DateTime(timezone=True))),
        bindparam("generations", type_=ARRAY(BigInteger)),
    )
)


async def record_usage(
    session: AsyncSession,
    entries: Sequence[Entry],
    totals: dict[tuple[UUID, date, str], Decimal],
    days: dict[tuple[UUID, date], DayOfUse],
) -> dict[tuple[UUID, date, str], Decimal]:
    """Write lines of the ledger, and add to totals by (organisation, period, unit) and to what was used on days.

    Returns what the totals are now.
    """
    # In one order, so that nobody deadlocks.
    sums = sorted(totals.items())
    uses = sorted(days.items(), key=lambda item: item[0])
    found = await _RECORD.fetch(
        session,
        ids=[entry.id for entry in entries],
        event_ids=[entry.event_id for entry in entries],
        org_ids=[entry.org_id for entry in entries],
        quantities=[entry.quantity for entry in entries],
        units=[str(entry.unit) for entry in entries],
        resource_ids=[entry.resource_id for entry in entries],
        times=[entry.at for entry in entries],
        voices=[entry.whose.voice_id for entry in entries],
        keys=[entry.whose.key_id for entry in entries],
        users=[entry.whose.user_id for entry in entries],
        formats=[entry.whose.format for entry in entries],
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
    return {(row["org_id"], row["period"], row["unit"]): row["quantity"] for row in found}


async def make_partitions(session: AsyncSession, today: date, months_ahead: int) -> None:
    """Make the ledger's partitions for the month of `today` and the following ones."""
    await session.execute(select(func.usage_maintain(today, months_ahead)))


async def drop_partitions(session: AsyncSession, oldest: date) -> list[str]:
    """Drop what of the ledger is older than the month that begins on `oldest`; return the partitions that went."""
    return list((await session.execute(select(func.usage_drop(oldest)))).scalars())
