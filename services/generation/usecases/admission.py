"""Whether there is room for another request: by how long it would wait, as the queue and the workers' pace have it."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from libs.database import Database, is_database_away
from services.generation.domain import load
from services.generation.domain.requests import Request
from services.generation.store import queue

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5


class Admission:
    """Refuses what would wait longer than anybody wants, with the time after which it would not."""

    def __init__(self, database: Database, limits: load.Limits) -> None:
        """Everything is let in before the first look at the queue."""
        self._database = database
        self._limits = limits
        self._load = load.Load({}, pace=0.0)

    async def watch(self) -> None:
        """Look at the queue again and again."""
        while True:
            try:
                async with self._database.transaction() as session:
                    backlog = await queue.get_backlog(session)
                # While no worker is there, nobody knows how long it takes: the pace of the last ones holds.
                self._load = load.Load(backlog.characters, pace=backlog.pace or self._load.pace)
            except Exception as error:
                if not is_database_away(error):
                    raise
                logger.warning("the queue cannot be looked at", extra={"error": type(error).__name__})
            await asyncio.sleep(LOOK_SECONDS)

    def require_room(self, org_id: UUID, request: Request) -> None:
        """Count the request in; raises Overloaded when it would wait for too long."""
        self._load = load.admit(self._load, self._limits, org_id, request.mode, request.characters)
