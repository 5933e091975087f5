"""What is written down of whom for them to take along, and what each service says that it wrote."""

from __future__ import annotations

from alembic import op

from libs.database.schema import isolate

revision = "0009"
down_revision = "0008"

_SCHEMA = (
    """
    create table exports (
        id uuid primary key,
        org_id uuid not null references organizations (id) on delete cascade,
        user_id uuid,
        requested_at timestamptz not null,
        expires_at timestamptz not null,
        -- Nobody may ask for it any more.
        deleted_at timestamptz,
        -- When its files were removed; null as long as there may be some.
        removed_at timestamptz
    )
    """,
    "create index exports_list on exports (org_id, requested_at desc)",
    "create index exports_age on exports (expires_at) where removed_at is null",
    """
    create table export_parts (
        export_id uuid not null references exports (id) on delete cascade,
        org_id uuid not null,
        service text not null,
        counts jsonb not null,
        object_key text,
        sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
        size_bytes bigint not null check (size_bytes >= 0),
        error text,
        tries integer not null,
        exported_at timestamptz not null,
        primary key (export_id, service)
    )
    """,
    *isolate("exports"),
    *isolate("export_parts"),
    # They expire whosever they are: the owner's function says which, and nothing of what is in them.
    "create policy exports_expired on exports for select to current_user using (true)",
    """
    create function expired_exports(moment timestamptz, most integer) returns table (export_id uuid, org_id uuid)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select id, exports.org_id from public.exports
        where expires_at <= moment and removed_at is null order by expires_at limit most
    $$
    """,
    "revoke all on function expired_exports(timestamptz, integer) from public",
)


def upgrade() -> None:
    """Add them."""
    for statement in _SCHEMA:
        op.execute(statement)


def downgrade() -> None:
    """Take them away; files that were written stay until their organisation is erased."""
    op.execute("drop function expired_exports(timestamptz, integer)")
    op.execute("drop table export_parts")
    op.execute("drop table exports")
