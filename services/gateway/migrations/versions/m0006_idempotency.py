"""Requests that are done once, and what they were answered."""

from __future__ import annotations

from alembic import op

from libs.database.schema import isolate

revision = "0006"
down_revision = "0005"

_RECORDS = """
create table idempotency_records (
    org_id uuid not null references organizations (id) on delete cascade,
    key_hash bytea not null check (octet_length(key_hash) = 32),
    request_hash bytea not null check (octet_length(request_hash) = 32),
    resource_id uuid not null,
    attempt uuid not null,
    leased_until timestamptz not null,
    status smallint,
    answer bytea,
    expires_at timestamptz not null,
    primary key (org_id, key_hash),
    check (answer is null or status is not null)
)
"""

# What has expired goes, whosever it is: one function may remove that as the owner, and nothing else. Its rows are taken
# in small numbers, and those that somebody holds are left for the next time, so that nobody waits for it.
_EXPIRY = (
    "create index idempotency_records_expiry on idempotency_records (expires_at)",
    "create policy idempotency_records_expiry_reads on idempotency_records for select to current_user using (true)",
    "create policy idempotency_records_expiry_deletes on idempotency_records for delete to current_user using (true)",
    # A row is locked as if it were to be changed, which wants leave to change it.
    "create policy idempotency_records_expiry_locks on idempotency_records for update to current_user using (true)",
    """
    create function expire_idempotency_records(moment timestamptz, most integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    declare
        gone integer;
    begin
        delete from public.idempotency_records record
        using (
            select org_id, key_hash from public.idempotency_records
            where expires_at <= moment and leased_until <= moment
            order by expires_at limit most for update skip locked
        ) old
        where (record.org_id, record.key_hash) = (old.org_id, old.key_hash);
        get diagnostics gone = row_count;
        return gone;
    end
    $$
    """,
    "revoke all on function expire_idempotency_records(timestamptz, integer) from public",
)


def upgrade() -> None:
    """Add the table, and what empties it."""
    for statement in (_RECORDS, *isolate("idempotency_records"), *_EXPIRY):
        op.execute(statement)


def downgrade() -> None:
    """Remove both."""
    op.execute("drop function expire_idempotency_records(timestamptz, integer)")
    op.execute("drop table idempotency_records")
