"""Workers say what a piece takes whatever its length, beside what its characters take."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column; workers of a release before say nothing of it, and count all in their characters."""
    op.execute(
        "alter table speech_workers add column piece_seconds double precision not null default 0 "
        "check (piece_seconds >= 0)"
    )


def downgrade() -> None:
    """Remove it."""
    op.execute("alter table speech_workers drop column piece_seconds")
