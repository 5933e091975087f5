"""What the previews of voices were when they were made, so that one that is lost or damaged is found."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; of what is there already nobody knows it."""
    op.execute("alter table voices add column preview_sha256 text check (preview_sha256 ~ '^[0-9a-f]{64}$')")


def downgrade() -> None:
    """Forget it."""
    op.execute("alter table voices drop column preview_sha256")
