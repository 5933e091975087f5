"""Sums compared with the ledger, and added up anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from libs.database import Database
from services.analytics import store
from services.analytics.store import Difference

BEGINNING = date(2000, 1, 1)


async def verify_sums(database: Database) -> list[Difference]:
    """Compare all sums with what is left of the ledger, in one moment."""
    async with database.transaction() as session:
        return await store.list_differences(session, BEGINNING)


async def repair_sums(database: Database, differences: Sequence[Difference]) -> None:
    """Add up anew what differs, an organisation and month at a time. Safe while the system runs.

    What was settled without an entry in the ledger stays: nobody knows what it should say.
    """
    months = sorted({(one.org_id, one.period) for one in differences if one.period is not None})
    for org_id, period in months:
        async with database.transaction(org_id) as session:
            await store.add_up_month(session, org_id, period)
    for org_id in sorted({one.org_id for one in differences if one.what == "levels"}):
        async with database.transaction(org_id) as session:
            await store.add_up_levels(session, org_id)
