"""Webhooks: whom to tell, what was told, and what is still to be told."""

from __future__ import annotations

from alembic import op

from libs.database.schema import isolate

revision = "0007"
down_revision = "0006"

_TABLES = (
    """
    create table webhooks (
        id uuid primary key,
        org_id uuid not null references organizations (id) on delete cascade,
        url text not null,
        description text not null,
        events text[] not null,
        secret bytea not null check (octet_length(secret) between 24 and 64),
        previous_secret bytea check (octet_length(previous_secret) between 24 and 64),
        previous_until timestamptz,
        status text not null check (status in ('enabled', 'disabled')),
        disabled_reason text check (disabled_reason in ('requested', 'failing', 'gone')),
        failing_since timestamptz,
        created_at timestamptz not null,
        check ((status = 'disabled') = (disabled_reason is not null))
    )
    """,
    "create index webhooks_list on webhooks (org_id, created_at, id)",
    """
    create table webhook_deliveries (
        id uuid primary key,
        org_id uuid not null,
        webhook_id uuid not null references webhooks (id) on delete cascade,
        event_id uuid not null,
        event_type text not null,
        body bytea not null,
        status text not null check (status in ('pending', 'delivered', 'failed')),
        attempts jsonb not null default '[]',
        queued_at timestamptz not null,
        created_at timestamptz not null,
        unique (webhook_id, event_id)
    )
    """,
    "create index webhook_deliveries_list on webhook_deliveries (webhook_id, created_at desc, id desc)",
    # Of no organisation: whoever delivers takes what is due, whosever it is. It says when and for whom, not what.
    """
    create table webhook_queue (
        delivery_id uuid primary key references webhook_deliveries (id) on delete cascade,
        org_id uuid not null,
        webhook_id uuid not null,
        due_at timestamptz not null,
        taken_until timestamptz
    )
    """,
    "create index webhook_queue_due on webhook_queue (webhook_id, due_at)",
    """
    create table webhook_lanes (
        webhook_id uuid primary key references webhooks (id) on delete cascade,
        failing boolean not null default false,
        rests_until timestamptz
    )
    """,
    # Deliveries are forgotten whosever they are; by the owner, who sees no more of them than that they are old.
    "create policy webhook_deliveries_forget on webhook_deliveries for all to current_user using (true)",
    """
    create function forget_webhook_deliveries(older_than timestamptz, most integer) returns integer
    language sql security definer set search_path = pg_catalog, public, pg_temp as $$
        with old as (
            select id from public.webhook_deliveries
            where created_at < older_than and status <> 'pending' order by created_at limit most
        ), gone as (delete from public.webhook_deliveries where id in (select id from old) returning 1)
        select count(*)::integer from gone
    $$
    """,
    "create index webhook_deliveries_age on webhook_deliveries (created_at)",
    "revoke all on function forget_webhook_deliveries(timestamptz, integer) from public",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (*_TABLES, *isolate("webhooks"), *isolate("webhook_deliveries")):
        op.execute(statement)


def downgrade() -> None:
    """Forget all webhooks."""
    op.execute("drop function forget_webhook_deliveries(timestamptz, integer)")
    for table in ("webhook_lanes", "webhook_queue", "webhook_deliveries", "webhooks"):
        op.execute(f"drop table {table}")
