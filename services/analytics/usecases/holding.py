"""What organisations have, compared with what those say who keep it: some of it was never told, or not in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.database import Database
from services.analytics import store
from services.analytics.store import Holding

HOLDINGS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Otherwise:
    """A thing that is known otherwise than it is: `kept` is None where nothing was known of it."""

    real: Holding
    kept: int | None


async def list_otherwise(database: Database, real: Sequence[Holding]) -> list[Otherwise]:
    """Return those of some things that are known otherwise; one that was told of since they were looked at is right."""
    async with database.transaction() as session:
        known = await store.get_holdings(session, [(one.quota, one.id) for one in real])
    found = []
    for one in real:
        kept = known.get((one.quota, one.id))
        if kept is None and one.quantity:
            found.append(Otherwise(one, None))
        elif kept is not None and kept.revision <= one.revision and kept.quantity != one.quantity:
            found.append(Otherwise(one, kept.quantity))
    return found


async def correct(database: Database, found: Sequence[Otherwise]) -> int:
    """Write down what things really are; return how many were known otherwise until now. Thresholds are told later."""
    corrected = 0
    for org_id in sorted({one.real.org_id for one in found}):
        async with database.transaction(org_id) as session:
            theirs = [one.real for one in found if one.real.org_id == org_id]
            corrected += await store.correct_holdings(session, theirs)
    return corrected
