"""What pieces of speech were when they were kept, so that none is joined that is another by then."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; of what is there already nobody knows it."""
    op.execute("alter table speech_cache add column sha256 text check (sha256 ~ '^[0-9a-f]{64}$')")


def downgrade() -> None:
    """Forget it."""
    op.execute("alter table speech_cache drop column sha256")
