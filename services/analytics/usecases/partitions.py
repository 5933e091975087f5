"""The ledger's partitions: made before they are needed, and dropped when nobody needs them any more."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC

from libs.database import is_database_away
from services.analytics import domain, store
from services.analytics.usecases.deps import Deps

PARTITIONS_AHEAD = 3
"""Months for which the ledger has partitions before they begin."""
PARTITION_CHECK_SECONDS = 86_400.0
PARTITION_RETRY_SECONDS = 5.0
logger = logging.getLogger(__name__)


async def tend_partitions(deps: Deps) -> None:
    """Make the partitions of this month and the following ones, and drop those that are older than is kept."""
    today = deps.clock().astimezone(UTC).date()
    async with deps.database.transaction() as session:
        await store.make_partitions(session, today, PARTITIONS_AHEAD)
        dropped = await store.drop_partitions(session, domain.oldest_month(today, deps.ledger_months))
    if dropped:
        logger.info("the ledger's oldest months are dropped", extra={"partitions": len(dropped), "last": dropped[-1]})


async def keep_partitions(deps: Deps) -> None:
    """Tend the ledger's partitions once a day; a database that is away is asked again soon."""
    while True:
        try:
            await tend_partitions(deps)
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("partitions wait for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(PARTITION_RETRY_SECONDS)
        else:
            await asyncio.sleep(PARTITION_CHECK_SECONDS)
