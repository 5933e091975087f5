"""The archive of published events says where on the broker each of them lies."""

from __future__ import annotations

from libs.database.schema import execute_all
from libs.outbox import schema as outbox_schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the position to the archive."""
    execute_all(outbox_schema.POSITIONS)


def downgrade() -> None:
    """Forget the positions."""
    execute_all(outbox_schema.DROP_POSITIONS)
