"""A worker's upkeep: its leases, and its word that it is there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from uuid import UUID

from libs.database import is_database_away
from libs.messaging import signal
from services.generation.domain import signals
from services.generation.rendering.deps import WorkerDeps
from services.generation.rendering.pace import PaceMeter
from services.generation.rendering.turn import Running
from services.generation.store import models, queue, workload

logger = logging.getLogger(__name__)

UPKEEP_SECONDS = queue.LEASE_SECONDS / 4
SECOND_LOOK_SECONDS = 0.2


class Upkeep:
    """Says now and then that this worker is there and still has its work; stops what it has no more."""

    def __init__(self, deps: WorkerDeps, pace: PaceMeter, running: Mapping[UUID, Running]) -> None:
        """`running` is the work that the worker believes it has, by its id, now and later."""
        self._deps = deps
        self._pace = pace
        self._running = running
        self._lost: set[UUID] = set()
        self._asked = asyncio.Event()

    def look_now(self) -> None:
        """Some of the work may not be wanted any more."""
        self._asked.set()

    async def run(self) -> None:
        """Look after the work until cancelled; survives losing the database."""
        while True:
            try:
                await self._look_after()
            except Exception as error:
                if not is_database_away(error):
                    raise
                logger.warning("leases cannot be renewed", extra={"error": type(error).__name__})
            pause = SECOND_LOOK_SECONDS if self._lost else UPKEEP_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._asked.wait()
            self._asked.clear()

    async def _look_after(self) -> None:
        held = list(self._running)
        async with self._deps.database.transaction() as session:
            kept = await queue.renew(session, self._deps.worker_id, held)
            unheard = await queue.give_back_unheard(session, self._deps.worker_id, [*self._running])
            await workload.save_worker(
                session, self._deps.worker_id, processes=self._pace.processes, pace=self._pace.pace
            )
            for name, engine in self._deps.engines.items():
                await models.save_model(
                    session,
                    name,
                    version=engine.version,
                    ready=engine.is_ready,
                    description=models.described(engine.model),
                )
        if unheard:
            await signal(self._deps.bus, signals.WORK)
        # Withdrawn, or taken by another worker after this one was thought dead; or just finished: then it has gone
        # from what runs at the second look.
        lost = {work_id for work_id in held if work_id not in kept}
        for work_id in lost & self._lost:
            if work_id in self._running:
                self._running[work_id].task.cancel()
        self._lost = lost
