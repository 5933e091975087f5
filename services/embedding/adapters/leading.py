"""One process of several that does what only one should."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

_LOCK: Final = 0x616E7475
STANDBY_SECONDS: Final = 1.0
"""How often a process tries to become the one."""


@asynccontextmanager
async def leading(database_url: str, password: str) -> AsyncIterator[Callable[[], bool]]:
    """Wait until no other process leads, and lead for the time of the block; what is yielded says whether that is so.

    `database_url` must reach PostgreSQL directly: leadership is a session's lock, which ends with the process.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        database_url,
        password=password,
        timeout=10,
        command_timeout=60,
        server_settings={"application_name": "embedding-leading"},
    )
    try:
        while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 - others end it
            await asyncio.sleep(STANDBY_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        yield lambda: not connection.is_closed()
    finally:
        connection.terminate()
