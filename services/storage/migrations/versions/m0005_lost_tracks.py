"""Tracks whose objects were lost, until they are made again under the same id."""

from __future__ import annotations

from alembic import op

from libs.database.schema import isolate

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    for statement in (
        """
        create table lost_tracks (
            generation_id uuid primary key,
            org_id uuid not null,
            track_id uuid not null unique,
            object_key text not null,
            lost_at timestamptz not null
        )
        """,
        *isolate("lost_tracks"),
    ):
        op.execute(statement)


def downgrade() -> None:
    """Forget what was lost: to whoever asks, it is not there."""
    op.execute("drop table lost_tracks")
