"""Which organisations are erased: late events of them are dropped."""

from __future__ import annotations

from libs.database.schema import execute_all
from libs.messaging import tombstones

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table."""
    execute_all(tombstones.SCHEMA)


def downgrade() -> None:
    """Forget them."""
    execute_all(tombstones.DROP_SCHEMA)
