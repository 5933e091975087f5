"""What was begun before an organisation was erased writes nothing of it afterwards."""

from __future__ import annotations

from alembic import op

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
    for statement in (*tombstones.REFUSAL, *tombstones.refuse(*_TABLES)):
        op.execute(statement)


def downgrade() -> None:
    """Have them take such rows."""
    for statement in tombstones.DROP_REFUSAL:
        op.execute(statement)
