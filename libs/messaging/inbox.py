"""The inbox: which events a consumer has applied, written in the transaction that applies them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared

KEEP_DAYS = 14
"""Days that the inbox remembers: longer than any stream keeps its events."""

SCHEMA = [
    """
    create table inbox (
        consumer text not null,
        event_id uuid not null,
        received_at timestamptz not null default now(),
        primary key (consumer, event_id)
    ) partition by range (event_id)
    """,
    "create table inbox_default partition of inbox default",
    # A UUIDv7 begins with its milliseconds, so a day is a range of ids.
    """
    create function uuid_at(moment timestamptz) returns uuid language sql immutable as $$
        select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    $$
    """,
    """
    create function inbox_maintain(keep_days integer) returns void
    language plpgsql security definer set search_path = public as $$
    declare
        day date;
        old record;
    begin
        for day in select d::date from generate_series(current_date - 1, current_date + 7, interval '1 day') d loop
            if to_regclass('inbox_' || to_char(day, 'YYYYMMDD')) is null then
                execute format('create table %I partition of inbox for values from (%L) to (%L)',
                    'inbox_' || to_char(day, 'YYYYMMDD'),
                    uuid_at(day::timestamp at time zone 'UTC'), uuid_at((day + 1)::timestamp at time zone 'UTC'));
            end if;
        end loop;
        for old in
            select relid::regclass::text as name from pg_partition_tree('inbox')
            where relid::regclass::text ~ '^inbox_[0-9]{8}$'
              and to_date(right(relid::regclass::text, 8), 'YYYYMMDD') < current_date - keep_days
        loop
            execute format('drop table %I', old.name);
        end loop;
    end
    $$
    """,
    f"select inbox_maintain({KEEP_DAYS})",
]
"""Statements for a service's first migration."""

DROP_SCHEMA = ["drop function inbox_maintain(integer)", "drop table inbox", "drop function uuid_at(timestamptz)"]

_REMEMBER = Prepared(
    text(
        "insert into inbox (consumer, event_id) select :consumer, unnest(:ids) "
        "on conflict do nothing returning event_id"
    ).bindparams(bindparam("ids", type_=ARRAY(PgUuid(as_uuid=True))))
)
_FIND = Prepared(
    text("select 1 from inbox where consumer = :consumer and event_id = :event_id").bindparams(
        bindparam("event_id", type_=PgUuid(as_uuid=True))
    )
)


async def remember(session: AsyncSession, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Note that `consumer` applies these events now; return those that it had not applied before.

    Ids are written in order, so that two transactions never wait for each other in a circle.
    """
    rows = await _REMEMBER.fetch(session, consumer=consumer, ids=sorted(event_ids))
    return {row["event_id"] for row in rows}


async def is_known(session: AsyncSession, consumer: str, event_id: UUID) -> bool:
    """Say whether `consumer` has applied this event."""
    return bool(await _FIND.fetch(session, consumer=consumer, event_id=event_id))


async def is_new(session: AsyncSession, consumer: str, event_id: UUID | str) -> bool:
    """Note that `consumer` applies this one event now; say whether that is the first time."""
    return bool(await remember(session, consumer, [UUID(str(event_id))]))
