"""Events of anonymous visitors, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, DateTime, LargeBinary, Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain.anonymity import Count, Funnel


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What somebody did; `properties` are texts, numbers, truths and nulls by name."""

    name: str
    properties: dict[str, Any]  # Any: scalars


_INSERT = Prepared(
    text(
        """
        with somebody as materialized (select analytics_visitor(:today, :token) as visitor)
        insert into analytics_events (hour, name, visitor, properties)
        select :hour, event.name, somebody.visitor, event.properties
        from somebody, unnest(:names, :properties) as event (name, properties)
        """
    ).bindparams(
        bindparam("today", type_=Date),
        bindparam("token", type_=LargeBinary),
        bindparam("hour", type_=DateTime(timezone=True)),
        bindparam("names", type_=ARRAY(Text)),
        bindparam("properties", type_=ARRAY(JSONB)),
    )
)
_OF_DAYS = """
    from analytics_events
    where hour >= cast(:first as date)::timestamp at time zone 'UTC'
        and hour < (cast(:last as date) + 1)::timestamp at time zone 'UTC'
        and (cast(:name as text) is null or name = :name)
"""
_DAY = "(hour at time zone 'UTC')::date"
_GROUP = "case when cast(:property as text) is null then name else coalesce(properties ->> :property, '') end"
_GROUPS = text(
    f"select {_DAY} as day, {_GROUP} as name, count(*) as events, count(distinct visitor) as visitors "
    f"{_OF_DAYS} group by 1, 2"
)
_TOGETHER = text(
    f"select count(*) as events, count(distinct visitor) as visitors {_OF_DAYS} and {_GROUP} = any(:groups)"
).bindparams(bindparam("groups", type_=ARRAY(Text)))
_SNAPSHOT = text(
    """
    insert into funnel_snapshots (day, visited, signed_up, voice_created, generated, returned, taken_at)
    select :day, counts.*, :now from funnel_counts(:day) counts
    on conflict (day) do update set visited = excluded.visited, signed_up = excluded.signed_up,
        voice_created = excluded.voice_created, generated = excluded.generated, returned = excluded.returned,
        taken_at = excluded.taken_at
    """
)
_FUNNELS = text(
    """
    select day, visited, signed_up, voice_created, generated, returned from funnel_snapshots
    where day between :first and :last order by day
    """
)


async def insert_events(
    session: AsyncSession, token: bytes, events: Sequence[NewEvent], *, today: date, hour: datetime
) -> None:
    """Write what a visitor did; `token` is hashed with the salt of the day, and goes no further."""
    await _INSERT.fetch(
        session,
        today=today,
        token=token,
        hour=hour,
        names=[event.name for event in events],
        properties=[event.properties for event in events],
    )


async def count_groups(
    session: AsyncSession, first: date, last: date, *, name: str | None, by: str | None
) -> dict[date, dict[str, Count]]:
    """Return how many events and visitors there were, by day and event, or by a property of the event `name`."""
    days: dict[date, dict[str, Count]] = {}
    values = {"first": first, "last": last, "name": name, "property": by}
    for row in await session.execute(_GROUPS, values):
        days.setdefault(row.day, {})[row.name] = Count(row.events, row.visitors)
    return days


async def count_together(
    session: AsyncSession, day: date, groups: Sequence[str], *, name: str | None, by: str | None
) -> Count:
    """Return how many events and different visitors some groups of a day have together."""
    values = {"first": day, "last": day, "name": name, "property": by, "groups": list(groups)}
    row = (await session.execute(_TOGETHER, values)).one()
    return Count(row.events, row.visitors)


async def forget_salts(session: AsyncSession, today: date) -> bool:
    """Destroy the salts of days that are over; return whether there were any."""
    return bool((await session.execute(select(func.analytics_forget_salts(today)))).scalar_one())


async def delete_events(session: AsyncSession, before: datetime) -> None:
    """Delete what happened before."""
    await session.execute(text("delete from analytics_events where hour < :before"), {"before": before})


async def save_funnel(session: AsyncSession, day: date, now: datetime) -> None:
    """Count who took each step on a day, and write the numbers down."""
    await session.execute(_SNAPSHOT, {"day": day, "now": now})


async def list_funnels(session: AsyncSession, first: date, last: date) -> list[Funnel]:
    """Return the numbers of days, both included."""
    rows = await session.execute(_FUNNELS, {"first": first, "last": last})
    return [Funnel(row[0], tuple(row[1:])) for row in rows]
