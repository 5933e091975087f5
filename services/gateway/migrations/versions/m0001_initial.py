"""Organisations and the keys that open the door for them."""

from __future__ import annotations

from alembic import op

from libs.database.schema import CURRENT_ORGS, TOUCH_FUNCTION, isolate, touch_trigger
from libs.messaging import inbox
from libs.outbox import schema as outbox_schema

revision = "0001"
down_revision = None

_TABLES = (
    """
    create table organizations (
        id uuid primary key,
        name text not null check (char_length(name) between 1 and 200),
        plan text not null check (plan in ('free', 'pro', 'enterprise')),
        created_at timestamptz not null,
        updated_at timestamptz not null default now()
    )
    """,
    """
    create table api_keys (
        id uuid primary key,
        org_id uuid not null references organizations (id) on delete cascade,
        name text not null check (char_length(name) between 1 and 200),
        prefix text not null,
        hash bytea not null unique check (octet_length(hash) = 32),
        created_at timestamptz not null,
        last_used_at timestamptz,
        revoked_at timestamptz
    )
    """,
    "create index api_keys_list on api_keys (org_id, created_at desc, id desc)",
    touch_trigger("organizations"),
)

_OWN = f"id = any({CURRENT_ORGS})"
_ORGANIZATIONS_ARE_ISOLATED = (
    "alter table organizations enable row level security",
    "alter table organizations force row level security",
    f"create policy organizations_tenant on organizations using ({_OWN}) with check ({_OWN})",
)

# A key is looked up before it is known whose it is, so no organisation can be set. One function may look, as the
# owner; it needs the hash of a whole key and says only whose that key is. The application role itself still sees no
# key outside the organisations of its transaction. The policy gives the owner nothing new: it could lift every policy.
_KEY_LOOKUP = (
    "create policy api_keys_lookup on api_keys for select to current_user using (true)",
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
    for statement in (*inbox.SCHEMA, *outbox_schema.SCHEMA, TOUCH_FUNCTION):
        op.execute(statement)
    for statement in (*_TABLES, *_ORGANIZATIONS_ARE_ISOLATED, *isolate("api_keys"), *_KEY_LOOKUP):
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop function find_api_key(bytea)")
    op.execute("drop table api_keys")
    op.execute("drop table organizations")
    op.execute("drop function touch_updated_at()")
    for statement in (*outbox_schema.DROP_SCHEMA, *inbox.DROP_SCHEMA):
        op.execute(statement)
