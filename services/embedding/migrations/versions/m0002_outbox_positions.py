"""The archive of published events says where on the broker each of them lies."""

from __future__ import annotations

from alembic import op

from libs.outbox import schema as outbox_schema

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the position to the archive."""
    for statement in outbox_schema.POSITIONS:
        op.execute(statement)


def downgrade() -> None:
    """Forget the positions."""
    for statement in outbox_schema.DROP_POSITIONS:
        op.execute(statement)
