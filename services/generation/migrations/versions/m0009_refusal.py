"""What was begun before an organisation was erased writes nothing of it afterwards."""

from __future__ import annotations

from libs.database.schema import execute_all
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
    execute_all(tombstones.refusal(*_TABLES))


def downgrade() -> None:
    """Have them take such rows."""
    execute_all(tombstones.DROP_REFUSAL)
