"""Use, grouped as a report asks for it, in the days and hours of any time zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

import asyncpg
from sqlalchemy import Date, DateTime, Integer, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from services.analytics.domain.reports import Dimension, Group, Report, ReportQuery
from services.analytics.domain.whose import Use
from services.analytics.store.tables import uuid_type

# As texts, so that every group has one order: of days and hours it is that of time.
_KEYS = {
    Dimension.DAY: "to_char(begins_at at time zone :zone, 'YYYY-MM-DD')",
    Dimension.HOUR: "to_char(date_trunc('hour', begins_at, :zone) at time zone 'UTC', 'YYYY-MM-DD HH24:MI')",
    Dimension.VOICE: "coalesce(voice_id::text, '')",
    Dimension.KEY: "coalesce(key_id::text, '')",
    Dimension.USER: "coalesce(user_id::text, '')",
    Dimension.FORMAT: "coalesce(format, '')",
}
_HOUR = "(({name} || 'Z')::timestamptz)"
_SUMS = ("characters", "audio_seconds", "generations", "characters_cached")
# Days are compared as the zone's calendar has them; the bounds on the time are for the index.
_USED = """
    select {keys}, {sums}
    from usage_quarters
    where org_id = :org
        and begins_at >= (cast(:first as date) - 2)::timestamp at time zone 'UTC'
        and begins_at < (cast(:last as date) + 3)::timestamp at time zone 'UTC'
        and (begins_at at time zone :zone)::date between :first and :last
        and (cast(:voice as uuid) is null or voice_id = :voice)
        and (cast(:key as uuid) is null or key_id = :key)
        and (cast(:user as uuid) is null or user_id = :user)
        and (cast(:format as text) is null or format = :format)
    group by {numbers}
    having case :unit when 'characters' then sum(characters) > 0 when 'audio_seconds' then sum(audio_seconds) > 0
        when 'characters_cached' then sum(characters_cached) > 0 else true end
"""
_REPORT = """
with used as ({used}),
total as (select {totals} from used),
page as (
    select * from used where cast(:after_1 as text) is null or ({names}) > ({after}) order by {names} limit :most
)
select {names}, {offset} as "offset", {sums}, {total_sums} from total left join page on true order by {names}
"""
_LOCAL_DAY = Prepared(
    text("select (cast(:now as timestamptz) at time zone :zone)::date as day").bindparams(
        bindparam("now", type_=DateTime(timezone=True)), bindparam("zone", type_=Text)
    )
)
# Names that every system's database of zones has beside the zones themselves, and those that depend on the machine.
_ZONES = text(
    "select name from pg_timezone_names where name !~ '^(posix|right)/' and name not in ('localtime', 'posixrules', "
    "'Factory')"
)


@cache
def _report(groups: tuple[Dimension, ...]) -> Prepared:
    names = [f"k{number}" for number in range(1, len(groups) + 1)]
    keys = ", ".join(f'{_KEYS[group]} collate "C" as {name}' for group, name in zip(groups, names, strict=True))
    hour = next((_HOUR.format(name=name) for group, name in zip(groups, names, strict=True) if group == "hour"), None)
    offset = f"extract(epoch from {hour} at time zone :zone - {hour} at time zone 'UTC')::integer" if hour else "0"
    used = _USED.format(
        keys=keys,
        sums=", ".join(f"sum({one}) as {one}" for one in _SUMS),
        numbers=", ".join(map(str, range(1, len(groups) + 1))),
    )
    statement = _REPORT.format(
        used=used,
        names=", ".join(names),
        after=", ".join(f":after_{number}" for number in range(1, len(groups) + 1)),
        offset=offset,
        totals=", ".join(f"coalesce(sum({one}), 0) as {one}" for one in _SUMS),
        sums=", ".join(f"page.{one}" for one in _SUMS),
        total_sums=", ".join(f"total.{one} as total_{one}" for one in _SUMS),
    )
    return Prepared(
        text(statement).bindparams(
            *(bindparam(name, type_=uuid_type) for name in ("org", "voice", "key", "user")),
            *(bindparam(name, type_=Text) for name in ("zone", "format", "unit")),
            *(bindparam(f"after_{number}", type_=Text) for number in range(1, len(groups) + 1)),
            *(bindparam(name, type_=Date) for name in ("first", "last")),
            bindparam("most", type_=Integer),
        )
    )


async def get_report(session: AsyncSession, org_id: UUID, query: ReportQuery, first: date, last: date) -> Report:
    """Return a page of the groups that `query` asks for between two days of its zone, both included."""
    after = query.after or (None,) * len(query.groups)
    wanted = query.wanted
    rows = await _report(query.groups).fetch(
        session,
        org=org_id,
        zone=query.zone,
        first=first,
        last=last,
        voice=wanted.voice_id,
        key=wanted.key_id,
        user=wanted.user_id,
        format=wanted.format,
        unit=wanted.unit,
        most=query.limit + 1,
        **{f"after_{number}": value for number, value in enumerate(after, 1)},
    )
    found = [row for row in rows if row["k1"] is not None]
    groups = [
        Group(
            tuple(row[f"k{number}"] for number in range(1, len(query.groups) + 1)),
            _use(row),
            timedelta(seconds=row["offset"]),
        )
        for row in found[: query.limit]
    ]
    return Report(first, last, groups, _use(rows[0], "total_"), has_more=len(found) > query.limit)


def _use(row: asyncpg.Record, prefix: str = "") -> Use:
    return Use(
        Decimal(row[f"{prefix}characters"]),
        Decimal(row[f"{prefix}audio_seconds"]),
        int(row[f"{prefix}generations"]),
        Decimal(row[f"{prefix}characters_cached"]),
    )


async def get_local_day(session: AsyncSession, now: datetime, zone: str) -> date:
    """Return which day it is in a time zone."""
    row = await _LOCAL_DAY.fetch_one(session, now=now, zone=zone)
    assert row is not None
    day: date = row["day"]
    return day


async def list_zones(session: AsyncSession) -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset((await session.execute(_ZONES)).scalars())
