"""What was begun before an organisation was erased writes nothing of it afterwards."""

from __future__ import annotations

from alembic import op

from libs.database.schema import execute_all
from libs.messaging import tombstones

revision = "0007"
down_revision = "0006"

_TABLES = (
    "audio_alignments",
    "audio_tracks",
    "lost_tracks",
    "deleted_generations",
    "media_assets",
    "uploads",
)


def upgrade() -> None:
    """Have the tables refuse rows of organisations that are erased."""
    execute_all(tombstones.refusal(*_TABLES))
    # What is put under an organisation's keys when it is gone already is looked for until nothing can be any more.
    op.execute("alter table erased_organizations add column sweep_at timestamptz default now()")
    op.execute("create index erased_organizations_sweep on erased_organizations (sweep_at) where sweep_at is not null")


def downgrade() -> None:
    """Have them take such rows."""
    op.execute("drop index erased_organizations_sweep")
    op.execute("alter table erased_organizations drop column sweep_at")
    execute_all(tombstones.DROP_REFUSAL)
