"""What is taken from the speech queue is found by its own index, however long the queue is."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

# A queue grows from nothing to tens of thousands of rows between two looks of the statistics, of which hardly any is
# taken: planned by statistics, each worker would read all of it whenever it takes something.
_HELD = """
    create function speech_held() returns table (org_id uuid, pieces bigint, most integer)
    language sql stable rows 16 set enable_seqscan = off set enable_bitmapscan = off
    as $$
        select q.org_id, count(*), min(q.most_at_once) from speech_queue q
        where q.worker is not null and q.available_at > clock_timestamp() group by q.org_id
    $$
"""


def upgrade() -> None:
    """Create the function."""
    op.execute(_HELD)


def downgrade() -> None:
    """Remove it."""
    op.execute("drop function speech_held()")
