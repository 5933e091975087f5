"""The ledger's partitions, made before they are needed."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC

from libs.database import is_database_away
from services.analytics import store
from services.analytics.usecases.deps import Deps

PARTITIONS_AHEAD = 3
"""Months for which the ledger has partitions before they begin."""
PARTITION_CHECK_SECONDS = 86_400.0
PARTITION_RETRY_SECONDS = 5.0
logger = logging.getLogger(__name__)


async def keep_partitions(deps: Deps) -> None:
    """Keep the ledger's partitions made ahead, once a day; a database that is away is asked again soon."""
    while True:
        try:
            async with deps.database.transaction() as session:
                await store.make_partitions(session, deps.clock().astimezone(UTC).date(), PARTITIONS_AHEAD)
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("partitions wait for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(PARTITION_RETRY_SECONDS)
        else:
            await asyncio.sleep(PARTITION_CHECK_SECONDS)
