"""The outbox tables of a service, for its first migration."""

from __future__ import annotations

ARCHIVE_DAYS = 30
"""Days that published events are kept for replay."""

SCHEMA = [
    # Rows live for milliseconds: vacuum by count, not by share of the table.
    """
    create table outbox (
        seq bigint generated always as identity primary key,
        event_id uuid not null,
        type_name text not null,
        subject text not null,
        aggregate text not null,
        org_id uuid not null,
        cause text,
        payload bytea not null,
        trace jsonb not null,
        created_at timestamptz not null default clock_timestamp()
    ) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)
    """,
    """
    create table outbox_sent (
        seq bigint not null,
        event_id uuid not null,
        type_name text not null,
        subject text not null,
        aggregate text not null,
        org_id uuid not null,
        cause text,
        payload bytea not null,
        trace jsonb not null,
        created_at timestamptz not null,
        sent_at timestamptz not null default now()
    ) partition by range (sent_at)
    """,
    "create index outbox_sent_seq on outbox_sent (seq)",
    "create table outbox_sent_default partition of outbox_sent default",
    """
    create function outbox_maintain(keep_days integer) returns void
    language plpgsql security definer set search_path = public as $$
    declare
        day date;
        old record;
    begin
        for day in select d::date from generate_series(current_date, current_date + 7, interval '1 day') d loop
            if to_regclass('outbox_sent_' || to_char(day, 'YYYYMMDD')) is null then
                execute format('create table %I partition of outbox_sent for values from (%L) to (%L)',
                    'outbox_sent_' || to_char(day, 'YYYYMMDD'),
                    day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
            end if;
        end loop;
        for old in
            select relid::regclass::text as name from pg_partition_tree('outbox_sent')
            where relid::regclass::text ~ '^outbox_sent_[0-9]{8}$'
              and to_date(right(relid::regclass::text, 8), 'YYYYMMDD') < current_date - keep_days
        loop
            execute format('drop table %I', old.name);
        end loop;
    end
    $$
    """,
    f"select outbox_maintain({ARCHIVE_DAYS})",
]

POSITIONS = [
    # In which incarnation of its stream an event lies, and where: what tells that a broker has lost it.
    "alter table outbox_sent add column stream_created timestamptz, add column stream_seq bigint",
    "create index outbox_sent_position on outbox_sent (stream_created, stream_seq)",
]
"""Statements for a later migration."""

DROP_POSITIONS = [
    "drop index outbox_sent_position",
    "alter table outbox_sent drop column stream_seq, drop column stream_created",
]

CURRENT = [*SCHEMA, *POSITIONS]
"""All of it, for a database without a history."""

DROP_SCHEMA = ["drop function outbox_maintain(integer)", "drop table outbox_sent", "drop table outbox"]
