"""Which organisations are erased: late events of them are dropped."""

from __future__ import annotations

from alembic import op

from libs.messaging import tombstones

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table."""
    for statement in tombstones.SCHEMA:
        op.execute(statement)


def downgrade() -> None:
    """Forget them."""
    for statement in tombstones.DROP_SCHEMA:
        op.execute(statement)
