"""Which failures of the database may pass by themselves."""

from __future__ import annotations

import asyncpg
import pytest

from libs.database import is_database_away
from libs.outbox.archiving import INTERRUPTIONS


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.AdminShutdownError("terminating"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        ConnectionResetError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_connection_is_an_outage_for_consumers_and_relays(error: Exception) -> None:
    assert is_database_away(error)
    assert isinstance(error, INTERRUPTIONS)


def test_a_mistake_of_ours_is_none() -> None:
    assert not is_database_away(asyncpg.UndefinedTableError("no such table"))
    assert not is_database_away(ValueError("wrong"))
