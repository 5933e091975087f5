"""What is asked for twice is known by its id: the gateway keeps the clients' idempotency keys."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Forget the keys, and what their requests said."""
    op.execute("alter table generations drop column idempotency_key, drop column request_hash")


def downgrade() -> None:
    """Keep them again; those of what is there are gone."""
    op.execute("alter table generations add column idempotency_key text, add column request_hash text")
    op.execute("alter table generations add unique (org_id, idempotency_key)")
