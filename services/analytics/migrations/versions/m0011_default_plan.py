"""Which plan counts for organisations that never subscribed is known where thresholds are told."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add it; the next process to begin says which it is."""
    op.execute("alter table plan_limits add column is_default boolean not null default false")


def downgrade() -> None:
    """Remove it."""
    op.execute("alter table plan_limits drop column is_default")
