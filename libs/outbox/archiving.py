"""The archive's side of the relay: what was published leaves the outbox while more is being published."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime

import asyncpg
import nats.errors
import nats.js.errors

from libs.outbox import positions

INTERRUPTIONS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    nats.errors.Error,
    nats.js.errors.Error,
)
"""What a relay survives: the database or the broker going away, in any of its forms."""


class Archiving:
    """Moves a published batch into the archive while the next one is published, on a connection of its own."""

    def __init__(self, database: Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]) -> None:
        """Connect by `database` when there is something to do."""
        self.seqs: Sequence[int] = ()
        """What is under way: it is published, and not to be published again."""
        self._database = database
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(
        self, rows: Sequence[int], stream_created: datetime, stream_seqs: Sequence[int], *, is_doubtful: bool
    ) -> None:
        """Wait for the batch before, then begin with this one. Raises what went wrong with the one before."""
        await self.done()
        if self._connection is None:
            self._connection = await self._database()
        self.seqs = rows
        archiving = positions.archive(self._connection, rows, stream_created, stream_seqs, is_doubtful=is_doubtful)
        self._task = asyncio.create_task(archiving)

    async def done(self) -> None:
        """Wait until nothing is under way. Raises what went wrong; then the rows are published once more."""
        task, self._task = self._task, None
        try:
            if task is not None:
                await task
        finally:
            self.seqs = ()

    async def close(self) -> None:
        """Wait for what is under way, whatever becomes of it, and give the connection up."""
        with suppress(*INTERRUPTIONS):
            await self.done()
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
