"""The usage ledger, what it adds up to, what is reserved, and what the organisations have subscribed to."""

from __future__ import annotations

from alembic import op

from libs.database.schema import TOUCH_FUNCTION, isolate, touch_trigger
from libs.messaging import inbox
from libs.outbox import schema as outbox_schema

revision = "0001"
down_revision = None

_TABLES = (
    # One row for each thing used up, for ever; the key says which, so that counting it twice is impossible.
    """
    create table usage_metrics (
        id uuid not null,
        event_id uuid not null,
        org_id uuid not null,
        user_id uuid,
        action text not null,
        quantity numeric not null check (quantity >= 0),
        unit text not null,
        resource_id uuid not null,
        metadata jsonb not null default '{}',
        created_at timestamptz not null,
        primary key (id, created_at)
    ) partition by range (created_at)
    """,
    "create index usage_metrics_org on usage_metrics (org_id, created_at)",
    "create index usage_metrics_resource on usage_metrics (resource_id)",
    "create table usage_metrics_default partition of usage_metrics default",
    """
    create function usage_maintain(months_ahead integer) returns void
    language plpgsql security definer set search_path = public as $$
    declare
        month date;
    begin
        for month in
            select d::date from generate_series(
                date_trunc('month', now() at time zone 'UTC'),
                date_trunc('month', now() at time zone 'UTC') + make_interval(months => months_ahead),
                interval '1 month') d
        loop
            if to_regclass('usage_metrics_' || to_char(month, 'YYYYMM')) is null then
                execute format('create table %I partition of usage_metrics for values from (%L) to (%L)',
                    'usage_metrics_' || to_char(month, 'YYYYMM'),
                    month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
            end if;
        end loop;
    end
    $$
    """,
    "select usage_maintain(3)",
    """
    create table usage_totals (
        org_id uuid not null,
        period date not null,
        unit text not null,
        quantity numeric not null,
        primary key (org_id, period, unit)
    )
    """,
    """
    create table usage_daily (
        org_id uuid not null,
        day date not null,
        characters numeric not null,
        audio_seconds numeric not null,
        generations bigint not null,
        primary key (org_id, day)
    )
    """,
    # What has been granted, by the id of the generation that it is for. A reservation that was settled or released
    # stays, so that a late or repeated event finds it decided.
    """
    create table reservations (
        id uuid primary key,
        org_id uuid not null,
        characters bigint not null check (characters >= 0),
        status text not null check (status in ('held', 'settled', 'released')),
        expires_at timestamptz not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    )
    """,
    "create index reservations_held on reservations (org_id) include (characters, expires_at) where status = 'held'",
    touch_trigger("reservations"),
    """
    create table subscriptions (
        org_id uuid primary key,
        plan text not null check (plan in ('free', 'pro', 'enterprise')),
        status text not null check (status in ('active', 'cancelled', 'expired')),
        start_date timestamptz not null,
        end_date timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    )
    """,
    "create index subscriptions_status on subscriptions (status)",
    touch_trigger("subscriptions"),
)
_ISOLATED = ("usage_metrics", "usage_totals", "usage_daily", "reservations", "subscriptions")


def upgrade() -> None:
    """Create everything."""
    isolation = [statement for table in _ISOLATED for statement in isolate(table)]
    for statement in (*inbox.SCHEMA, *outbox_schema.SCHEMA, TOUCH_FUNCTION, *_TABLES, *isolation):
        op.execute(statement)


def downgrade() -> None:
    """Remove everything."""
    for statement in (
        "drop function usage_maintain(integer)",
        *(f"drop table {table}" for table in _ISOLATED),
        "drop function touch_updated_at()",
        *outbox_schema.DROP_SCHEMA,
        *inbox.DROP_SCHEMA,
    ):
        op.execute(statement)
