"""Which failures mean that the database is away for a while, and nothing is wrong with the work."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_AWAY: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.DiskFullError,
    asyncpg.InterfaceError,
    # What the driver says of a connection that the server closed at the moment in which it was to be used.
    asyncpg.InternalClientError,
    OSError,
)


def is_database_away(error: BaseException) -> bool:
    """Say whether `error` may pass by itself: connection lost, restarting, full, or a deadlock."""
    if isinstance(error, PoolTimeoutError | InterfaceError | OperationalError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _caused_by_absence(error)
    return isinstance(error, _AWAY)


def _caused_by_absence(error: DBAPIError) -> bool:
    cause: BaseException | None = error.orig
    while cause is not None:
        if isinstance(cause, _AWAY):
            return True
        cause = cause.__cause__
    return False
