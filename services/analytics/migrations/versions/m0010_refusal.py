"""What was begun before an organisation was erased writes nothing of it afterwards."""

from __future__ import annotations

from libs.database.schema import execute_all
from libs.messaging import tombstones

revision = "0010"
down_revision = "0009"

_TABLES = (
    "usage_metrics",
    "usage_totals",
    "usage_daily",
    "usage_quarters",
    "reservations",
    "subscriptions",
    "holdings",
    "levels",
    "quota_thresholds",
)


def upgrade() -> None:
    """Have the tables refuse rows of organisations that are erased."""
    execute_all(tombstones.refusal(*_TABLES))


def downgrade() -> None:
    """Have them take such rows."""
    execute_all(tombstones.DROP_REFUSAL)
