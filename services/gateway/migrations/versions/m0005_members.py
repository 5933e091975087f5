"""Invitations, the audit log, and people who are nobody's member any more."""

from __future__ import annotations

from alembic import op

from libs.database.schema import CURRENT_ORGS, isolate

revision = "0005"
down_revision = "0004"

_INVITATIONS = (
    """
    create table invitations (
        id uuid primary key,
        org_id uuid not null references organizations (id) on delete cascade,
        email text not null check (char_length(email) between 3 and 254),
        role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
        hash bytea not null unique check (octet_length(hash) = 32),
        created_at timestamptz not null,
        expires_at timestamptz not null check (expires_at <= created_at + interval '30 days'),
        accepted_at timestamptz,
        revoked_at timestamptz
    )
    """,
    "create index invitations_list on invitations (org_id, created_at desc, id desc)",
    *isolate("invitations"),
    # Whoever accepts has no key: like a key's, an invitation's organisation is found by the whole hash.
    "create policy invitations_lookup on invitations for select to current_user using (true)",
    """
    create function find_invitation(token_hash bytea) returns table (invitation_id uuid, org_id uuid)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select id, invitations.org_id from public.invitations
        where hash = token_hash and accepted_at is null and revoked_at is null and expires_at > now()
    $$
    """,
    "revoke all on function find_invitation(bytea) from public",
)

_PEOPLE = (
    "create policy users_lookup on users for select to current_user using (true)",
    "create policy users_forgotten on users for delete to current_user using (true)",
    """
    create function forget_user(gone uuid) returns void
    language sql volatile security definer set search_path = pg_catalog, public, pg_temp as $$
        delete from public.users where id = gone
            and not exists (select 1 from public.memberships where user_id = gone)
    $$
    """,
    "revoke all on function forget_user(uuid) from public",
)

# No foreign keys: what was done outlives whom it was done to.
_AUDIT = (
    """
    create table audit_log (
        org_id uuid not null,
        seq bigint not null check (seq > 0),
        at timestamptz not null,
        action text not null check (char_length(action) between 1 and 100),
        key_id uuid,
        user_id uuid,
        details jsonb not null,
        previous_hash bytea not null check (octet_length(previous_hash) = 32),
        hash bytea not null check (octet_length(hash) = 32),
        primary key (org_id, seq)
    )
    """,
    """
    create table audit_heads (
        org_id uuid primary key,
        seq bigint not null,
        hash bytea not null
    )
    """,
    *isolate("audit_heads"),
    # Written and read: for changing and deleting there is no policy, so nobody may.
    "alter table audit_log enable row level security",
    "alter table audit_log force row level security",
    f"create policy audit_log_read on audit_log for select using (org_id = any({CURRENT_ORGS}))",
    f"create policy audit_log_append on audit_log for insert with check (org_id = any({CURRENT_ORGS}))",
    # Whoever may lift policies meets this.
    """
    create function refuse_audit_change() returns trigger language plpgsql as $$
    begin
        raise exception 'the audit log is append-only' using errcode = 'restrict_violation';
    end
    $$
    """,
    """
    create trigger audit_log_is_append_only before update or delete or truncate on audit_log
        for each statement execute function refuse_audit_change()
    """,
)


def upgrade() -> None:
    """Add them."""
    for statement in (*_INVITATIONS, *_PEOPLE, *_AUDIT):
        op.execute(statement)


def downgrade() -> None:
    """Take them away."""
    op.execute("drop table audit_log")
    op.execute("drop function refuse_audit_change()")
    op.execute("drop table audit_heads")
    op.execute("drop function forget_user(uuid)")
    op.execute("drop policy users_forgotten on users")
    op.execute("drop policy users_lookup on users")
    op.execute("drop function find_invitation(bytea)")
    op.execute("drop table invitations")
