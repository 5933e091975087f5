"""What is being deleted of whom, and what each service says that it has deleted."""

from __future__ import annotations

from alembic import op

from libs.database.schema import isolate

revision = "0008"
down_revision = "0007"

# No foreign keys: the report outlives the organisation.
_SCHEMA = (
    """
    create table erasures (
        id uuid primary key,
        org_id uuid not null,
        requested_at timestamptz not null,
        completed_at timestamptz
    )
    """,
    """
    create table erasure_reports (
        erasure_id uuid not null references erasures (id) on delete cascade,
        org_id uuid not null,
        service text not null,
        round integer not null,
        counts jsonb not null,
        erased_at timestamptz not null,
        primary key (erasure_id, service, round)
    )
    """,
    *isolate("erasures"),
    *isolate("erasure_reports"),
    # Nobody of the organisation has a key any more: the id, which is random throughout, is what shows the report.
    "create policy erasures_lookup on erasures for select to current_user using (true)",
    """
    create function find_erasure(erasure uuid) returns table (org_id uuid)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select erasures.org_id from public.erasures where id = erasure
    $$
    """,
    "revoke all on function find_erasure(uuid) from public",
)


def upgrade() -> None:
    """Add them."""
    for statement in _SCHEMA:
        op.execute(statement)


def downgrade() -> None:
    """Take them away."""
    op.execute("drop function find_erasure(uuid)")
    op.execute("drop table erasure_reports")
    op.execute("drop table erasures")
