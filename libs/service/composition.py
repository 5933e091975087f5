"""What a service is made of: the parts that every process has, and those that are its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from libs.database import Database, DatabaseClock
from libs.messaging import Bus, Consumers
from libs.messaging.rpc import RpcServer

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 6.0
"""How long running requests and jobs may take once the process is asked to stop; all of it takes less than 10 s."""
LAST_SECONDS = 0.3
"""What every part gets even when others have used up the time."""


@dataclass(slots=True)
class Runtime:
    """The process's shared parts, handed to the service's composition root."""

    name: str
    database: Database
    bus: Bus
    clock: DatabaseClock
    stopping: asyncio.Event
    started: asyncio.Event = field(default_factory=asyncio.Event)
    _drained_by: float | None = None

    def time_to_drain(self) -> float:
        """Return the seconds that what still runs may take; they begin to pass with the first question."""
        now = asyncio.get_running_loop().time()
        if self._drained_by is None:
            self._drained_by = now + DRAIN_SECONDS
        return max(LAST_SECONDS, self._drained_by - now)

    async def readiness(self) -> dict[str, bool]:
        """Say for each part whether it is there right now."""
        return {
            "started": self.started.is_set() and not self.stopping.is_set(),
            "database": await self._database_answers(),
            "nats": self.bus.is_connected,
        }

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(2):
                await self.database.ping()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from answering, the answer is no
            logger.warning("database does not answer", extra={"error": type(error).__name__})
            return False
        return True


@dataclass(slots=True)
class Composition:
    """What a service is made of.

    `app` is its HTTP application; `consumers` what it answers, with `deps` for its work handlers;
    `relays` whether it sends the outbox of its database (False where another process does);
    `startup` runs before the service is ready; `on_stop` as soon as it is asked to stop, while requests
    and events are still being answered; `closing` when all else has stopped.
    """

    app: ASGIApp
    consumers: Consumers | None = None
    deps: object = None
    relays: bool = True
    rpc: Sequence[RpcServer] = ()
    startup: Sequence[Callable[[], Awaitable[None]]] = ()
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    on_stop: Sequence[Callable[[], None]] = ()
    closing: Sequence[Callable[[], Awaitable[None]]] = ()
    http_options: Mapping[str, Any] = field(default_factory=dict)  # Any: uvicorn's options are of many types
