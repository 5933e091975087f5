"""Secrets of webhooks are sealed: longer than what they were, and found by the key that they need."""

from __future__ import annotations

from alembic import op

from libs.database.schema import confine, see_all

revision = "0011"
down_revision = "0010"

_UP = (
    "alter table webhooks drop constraint webhooks_secret_check, drop constraint webhooks_previous_secret_check",
    """
    alter table webhooks
        add constraint webhooks_secret_check check (octet_length(secret) between 24 and 200),
        add constraint webhooks_previous_secret_check check (octet_length(previous_secret) between 24 and 200)
    """,
    # The gateway has the key, a migration has not: it seals what is there, whosever it is, and learns ids alone.
    "create policy webhooks_unsealed on webhooks for select to current_user using (true)",
    """
    create function webhooks_to_seal(newest bytea, most integer) returns table (webhook_id uuid, org_id uuid)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
        select id, webhooks.org_id from public.webhooks
        where octet_length(secret) <= 64 or substr(secret, 2, 4) <> newest
            or octet_length(previous_secret) <= 64 or substr(previous_secret, 2, 4) <> newest
        limit most
    $$
    """,
    "revoke all on function webhooks_to_seal(bytea, integer) from public",
)
_DOWN = (
    "drop function webhooks_to_seal(bytea, integer)",
    "drop policy webhooks_unsealed on webhooks",
    *see_all("webhooks"),
    # An earlier release would sign with what it cannot read: it tells nothing until there is a new secret.
    """
    update webhooks set status = 'disabled', disabled_reason = 'requested', previous_secret = null,
        previous_until = null, secret = sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea)
    where octet_length(secret) > 64 or octet_length(previous_secret) > 64
    """,
    *confine("webhooks"),
    "alter table webhooks drop constraint webhooks_secret_check, drop constraint webhooks_previous_secret_check",
    """
    alter table webhooks
        add constraint webhooks_secret_check check (octet_length(secret) between 24 and 64),
        add constraint webhooks_previous_secret_check check (octet_length(previous_secret) between 24 and 64)
    """,
)


def upgrade() -> None:
    """Make room for them."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Disable the webhooks whose secrets nobody could read any more; they are enabled with a new one."""
    for statement in _DOWN:
        op.execute(statement)
