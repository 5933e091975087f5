"""How long objects of an erased organisation are looked for: until nothing can put any there."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST = timedelta(seconds=15)
LAST = timedelta(days=3)
"""After the erasure. What writes objects ends long before: signed URLs after 15 minutes, requests after 10 minutes, a
completed upload 4 minutes after its last part, work that is redelivered sees the tombstone, and a piece of speech ends
with its engine. The rest is for processes that stand still meanwhile."""


def next_sweep(erased_at: datetime, now: datetime) -> datetime | None:
    """Return when to look again: each time twice as long after the erasure as the last time; None when it was enough.

    That is about fifteen times, of five listings each.
    """
    age = now - erased_at
    return None if age >= LAST else erased_at + max(FIRST, 2 * age)
