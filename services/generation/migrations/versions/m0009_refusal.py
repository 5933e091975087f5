"""What was begun before an organisation was erased writes nothing of it afterwards."""

from __future__ import annotations

from alembic import op

from libs.messaging import tombstones

revision = "0009"
down_revision = "0008"

_TABLES = (
    "speech_queue",
    "generation_chunks",
    "speech_cache",
    "generation_attempts",
    "generations",
    "renditions",
    "dictionary_versions",
    "dictionaries",
    "voices",
    "organization_plans",
)


def upgrade() -> None:
    """Have the tables refuse rows of organisations that are erased."""
    for statement in (*tombstones.REFUSAL, *tombstones.refuse(*_TABLES)):
        op.execute(statement)


def downgrade() -> None:
    """Have them take such rows."""
    for statement in tombstones.DROP_REFUSAL:
        op.execute(statement)
