"""What was begun before an organisation was erased writes nothing of it afterwards."""

from __future__ import annotations

from libs.database.schema import execute_all
from libs.messaging import tombstones

revision = "0005"
down_revision = "0004"

_TABLES = (
    "voice_samples",
    "voices",
)


def upgrade() -> None:
    """Have the tables refuse rows of organisations that are erased."""
    execute_all(tombstones.refusal(*_TABLES))


def downgrade() -> None:
    """Have them take such rows."""
    execute_all(tombstones.DROP_REFUSAL)
