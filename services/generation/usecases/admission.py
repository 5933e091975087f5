"""Whether there is room for another request: by how long it would wait, as queue and workers have it."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from opentelemetry import metrics

from libs.database import Database, is_database_away
from services.generation.domain import load
from services.generation.domain.requests import Mode, Request
from services.generation.store import workload

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
LOOK_SHARE = 0.05
"""Of the time that may go into looking: all of a long queue is read for it."""

_meter = metrics.get_meter("antiphon.generation")
_characters = _meter.create_gauge("antiphon.speech.queue.characters", description="Characters that wait or are spoken")
_pieces = _meter.create_gauge("antiphon.speech.queue.pieces", description="Pieces of work that wait or are being done")
_seconds = _meter.create_gauge(
    "antiphon.speech.queue.seconds", unit="s", description="How long all workers take for what waits or is spoken"
)
_workers = _meter.create_gauge("antiphon.speech.workers", description="Speech workers that were seen lately")


class Admission:
    """Refuses what would wait longer than anybody wants, with the time after which it would not."""

    def __init__(self, database: Database, limits: load.Limits) -> None:
        """Everything is let in before the first look at the queue."""
        self._database = database
        self._limits = limits
        self._load = load.Load({}, None)

    def longest_wait(self, mode: Mode) -> float:
        """Return for how many seconds what is let in waits at most, as far as can be said."""
        return self._limits.seconds(mode)

    async def watch(self) -> None:
        """Look at the queue again and again."""
        while True:
            spent = 0.0
            try:
                async with self._database.transaction() as session:
                    # Waiting for a connection is no looking: it is longest when most is asked for.
                    began = time.perf_counter()
                    backlog = await workload.get_backlog(session)
                    spent = time.perf_counter() - began
                # While no worker is there, nobody knows how long it takes: the pace of the last ones holds.
                self._load = load.Load(backlog.waiting, backlog.pace or self._load.pace)
                _report(self._load, backlog.workers)
            except Exception as error:
                if not is_database_away(error):
                    raise
                logger.warning("the queue cannot be looked at", extra={"error": type(error).__name__})
            await asyncio.sleep(max(LOOK_SECONDS, spent / LOOK_SHARE))

    def require_room(self, org_id: UUID, request: Request) -> None:
        """Count the request in; raises Overloaded when it would wait for too long."""
        self._load = load.admit(self._load, self._limits, org_id, request.mode, request.characters)


def _report(found: load.Load, workers: int) -> None:
    """Say how much there is to do, for those who scale the workers by it."""
    for priority, mode in enumerate(("interactive", "job")):
        of_mode = {"antiphon.mode": mode}
        waiting = [amount for (_, rank), amount in found.waiting.items() if rank == priority]
        total = load.Waiting(sum(one.pieces for one in waiting), sum(one.characters for one in waiting))
        _characters.set(total.characters, of_mode)
        _pieces.set(total.pieces, of_mode)
        _seconds.set(found.seconds(total), of_mode)
    _workers.set(workers)
