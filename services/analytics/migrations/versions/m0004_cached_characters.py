"""What was there already is counted apart from what had to be spoken."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.execute("alter table usage_daily add column characters_cached numeric not null default 0")


def downgrade() -> None:
    """Remove it."""
    op.execute("alter table usage_daily drop column characters_cached")
