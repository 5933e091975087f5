"""What was begun before an organisation was erased writes nothing of it afterwards."""

from __future__ import annotations

from alembic import op

from libs.messaging import tombstones

revision = "0005"
down_revision = "0004"

_TABLES = (
    "voice_samples",
    "voices",
)


def upgrade() -> None:
    """Have the tables refuse rows of organisations that are erased."""
    for statement in (*tombstones.REFUSAL, *tombstones.refuse(*_TABLES)):
        op.execute(statement)


def downgrade() -> None:
    """Have them take such rows."""
    for statement in tombstones.DROP_REFUSAL:
        op.execute(statement)
