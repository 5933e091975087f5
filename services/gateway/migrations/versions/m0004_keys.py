"""Keys with scopes, owners, an end and successors; the people whose keys they are; news of what changes access."""

from __future__ import annotations

from alembic import op

from libs.database.schema import CURRENT_ORGS, isolate, touch_trigger

revision = "0004"
down_revision = "0003"

_MEMBER = f"exists (select from memberships m where m.user_id = users.id and m.org_id = any({CURRENT_ORGS}))"
_PEOPLE = (
    """
    create table users (
        id uuid primary key,
        email text not null check (char_length(email) between 3 and 254),
        name text not null check (char_length(name) between 1 and 200),
        created_at timestamptz not null,
        updated_at timestamptz not null default now()
    )
    """,
    """
    create table memberships (
        org_id uuid not null references organizations (id) on delete cascade,
        user_id uuid not null references users (id) on delete cascade,
        role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
        created_at timestamptz not null,
        updated_at timestamptz not null default now(),
        primary key (org_id, user_id)
    )
    """,
    "create index memberships_list on memberships (org_id, created_at desc, user_id desc)",
    "create index memberships_of_user on memberships (user_id)",
    touch_trigger("users"),
    touch_trigger("memberships"),
    *isolate("memberships"),
    # A person is seen where they are a member. Anybody may be written down: that alone opens nothing.
    "alter table users enable row level security",
    "alter table users force row level security",
    f"create policy users_tenant on users using ({_MEMBER}) with check ({_MEMBER})",
    "create policy users_new on users for insert with check (true)",
)

# A key without scopes may do all that its role may. A person's key has their role of the moment; a key of the
# organisation's own has the role that it was made with.
_KEYS = (
    "alter table api_keys add column user_id uuid",
    "alter table api_keys add column scopes text[] check (cardinality(scopes) > 0)",
    """
    alter table api_keys add column role text default 'owner'
        check (role in ('owner', 'admin', 'member', 'viewer')), add check ((user_id is null) = (role is not null))
    """,
    "alter table api_keys alter column role drop default",
    "alter table api_keys add column expires_at timestamptz",
    "alter table api_keys add column rotated_from uuid",
    "create index api_keys_of_user on api_keys (org_id, user_id) where user_id is not null",
)

# See api_keys_lookup: the owner's function looks, for one key whose whole hash is known.
_LOOKUP = (
    "create policy organizations_lookup on organizations for select to current_user using (true)",
    "create policy memberships_lookup on memberships for select to current_user using (true)",
    "drop function find_api_key(bytea)",
    """
    create function find_api_key(key_hash bytea)
    returns table (key_id uuid, org_id uuid, user_id uuid, scopes text[], role text, plan text,
        valid_seconds double precision, last_used_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select k.id, k.org_id, k.user_id, k.scopes, coalesce(m.role, k.role), o.plan,
            extract(epoch from k.expires_at - now())::double precision, k.last_used_at
        from public.api_keys k
        join public.organizations o on o.id = k.org_id
        left join public.memberships m on m.org_id = k.org_id and m.user_id = k.user_id
        where k.hash = key_hash and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
            and (k.user_id is null or m.user_id is not null)
    $$
    """,
    "revoke all on function find_api_key(bytea) from public",
)

# What changes access, by whatever way, is noted for the replicas, which remember keys for a while. They ask for what
# was written since the oldest transaction that they could not see yet; numbers alone would miss who commits late.
_CHANGES = (
    """
    create table key_changes (
        seq bigint generated always as identity primary key,
        org_id uuid not null,
        key_id uuid,
        user_id uuid,
        xact xid8 not null default pg_current_xact_id(),
        changed_at timestamptz not null default clock_timestamp()
    )
    """,
    "create index key_changes_xact on key_changes (xact)",
    "create index key_changes_old on key_changes (changed_at)",
    "alter table key_changes enable row level security",
    "alter table key_changes force row level security",
    "create policy key_changes_owner on key_changes to current_user using (true) with check (true)",
    """
    create function note_key_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
    begin
        delete from public.key_changes where seq in (
            select seq from public.key_changes where changed_at < now() - interval '10 minutes'
            limit 100 for update skip locked
        );
        if tg_table_name = 'api_keys' then
            insert into public.key_changes (org_id, key_id) values (old.org_id, old.id);
        elsif tg_table_name = 'memberships' then
            insert into public.key_changes (org_id, user_id) values (old.org_id, old.user_id);
        else
            insert into public.key_changes (org_id) values (old.id);
        end if;
        return null;
    end
    $$
    """,
    """
    create function key_changes_since(horizon xid8)
    returns table (seq bigint, org_id uuid, key_id uuid, user_id uuid)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select seq, org_id, key_id, user_id from public.key_changes where xact >= horizon order by seq
    $$
    """,
    "revoke all on function note_key_change() from public",
    "revoke all on function key_changes_since(xid8) from public",
    """
    create trigger api_keys_changed after update of revoked_at, expires_at, scopes, role, user_id, hash or delete
        on api_keys for each row execute function note_key_change()
    """,
    """
    create trigger memberships_changed after update of role or delete
        on memberships for each row execute function note_key_change()
    """,
    """
    create trigger organizations_changed after update of plan or delete
        on organizations for each row execute function note_key_change()
    """,
)

_FORMER_LOOKUP = (
    "drop function find_api_key(bytea)",
    "drop policy memberships_lookup on memberships",
    "drop policy organizations_lookup on organizations",
    """
    create function find_api_key(key_hash bytea)
    returns table (key_id uuid, org_id uuid, last_used_at timestamptz)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select id, api_keys.org_id, api_keys.last_used_at
        from public.api_keys where hash = key_hash and revoked_at is null
    $$
    """,
    "revoke all on function find_api_key(bytea) from public",
)


def upgrade() -> None:
    """Add people, what keys may do, and the news."""
    for statement in (*_PEOPLE, *_KEYS, *_LOOKUP, *_CHANGES):
        op.execute(statement)


def downgrade() -> None:
    """Go back to keys that may do everything. Those that may not, or are not an owner's, are revoked."""
    op.execute("alter table api_keys no force row level security")
    op.execute(
        "update api_keys set revoked_at = now() "
        "where revoked_at is null and (scopes is not null or role is distinct from 'owner')"
    )
    op.execute("alter table api_keys force row level security")
    for table in ("organizations", "memberships", "api_keys"):
        op.execute(f"drop trigger {table}_changed on {table}")
    op.execute("drop function key_changes_since(xid8)")
    op.execute("drop function note_key_change()")
    op.execute("drop table key_changes")
    for statement in _FORMER_LOOKUP:
        op.execute(statement)
    for column in ("user_id", "scopes", "role", "expires_at", "rotated_from"):
        op.execute(f"alter table api_keys drop column {column}")
    op.execute("drop table memberships cascade")
    op.execute("drop table users")
