"""What comes next in the speech queue is read in its order, however long the queue is."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

# As with what is held (0005): planned by statistics, each worker would read and sort all that waits whenever it takes
# something, for of a queue that was empty when they were made they say that hardly anything is there.
_NEXT = """
    create function speech_next(wanted smallint, engines text[], without uuid[], most bigint)
    returns table (id uuid, org_id uuid, priority smallint, tag double precision, most_at_once integer)
    language sql volatile rows 16
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
    as $$
        select q.id, q.org_id, q.priority, q.tag, q.most_at_once from speech_queue q
        where q.priority = wanted and q.available_at <= clock_timestamp()
            and (q.engine is null or q.engine = any(engines)) and q.org_id <> all(without)
        order by q.tag, q.id limit most for update skip locked
    $$
"""


def upgrade() -> None:
    """Create the function."""
    op.execute(_NEXT)


def downgrade() -> None:
    """Remove it."""
    op.execute("drop function speech_next(smallint, text[], uuid[], bigint)")
