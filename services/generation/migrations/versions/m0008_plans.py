"""Which plan each organisation has: for how long its audio is kept follows from that."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table."""
    op.execute(
        # No tenant's table: whoever looks for what has been kept for long enough looks at all. It holds ids and plans.
        """
        create table organization_plans (
            org_id uuid primary key,
            plan text not null,
            revision bigint not null,
            since timestamptz not null
        )
        """
    )


def downgrade() -> None:
    """Forget the plans."""
    op.execute("drop table organization_plans")
