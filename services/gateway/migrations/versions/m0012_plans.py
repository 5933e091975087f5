"""Which change of an organisation's plan was learnt last: older ones that come later are too late."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column."""
    op.execute("alter table organizations add column plan_revision bigint not null default 0")


def downgrade() -> None:
    """Remove it."""
    op.execute("alter table organizations drop column plan_revision")
