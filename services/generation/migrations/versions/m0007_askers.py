"""Each generation says which key asked for it, and whose that was."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; of what is there already nobody knows."""
    op.execute("alter table generations add column key_id uuid, add column user_id uuid")


def downgrade() -> None:
    """Remove them."""
    op.execute("alter table generations drop column user_id, drop column key_id")
