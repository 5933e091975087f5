"""A service's database as its administrator sees it: all organisations' rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from deploy.cli.operator import administrator_database

if TYPE_CHECKING:
    from libs.database import Database


@asynccontextmanager
async def administered_database(service: str) -> AsyncIterator[Database]:
    """Open it for the time of a block; events that are added are sent by the service, which finds them by itself."""
    from libs.database import Database
    from libs.outbox import OutboxHook

    url, password = administrator_database(service)
    database = Database(url, password, application="antiphon-operator", pool_size=2, hooks=[OutboxHook(_found_later)])
    try:
        yield database
    finally:
        await database.close()


async def _found_later() -> None:
    """The service's relay looks every other second for what nobody has told it of."""
