"""Transactions are scoped, atomic, and leave nothing behind on the connections that they borrow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from libs.database import Database
from libs.ids import new_id
from tests.support.servers import Servers

SCOPE = text("select current_setting('app.orgs', true)")


class Broken(Exception):
    """Raised by a test inside a transaction."""


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    url = str(make_url(servers.postgres_url).set(username="antiphon", database="postgres"))
    database = Database(url, servers.secret("postgres_admin"), application="transactions", pool_size=1)
    async with database.transaction() as session:
        await session.execute(text("create table if not exists kept (id uuid primary key)"))
    yield database
    await database.close()


async def keep(database: Database, row: UUID, *, error: type[BaseException] | None = None) -> None:
    async with database.transaction() as session:
        await session.execute(text("insert into kept values (:id)"), {"id": row})
        if error is not None:
            raise error


async def is_kept(database: Database, row: UUID) -> bool:
    async with database.transaction() as session:
        return bool((await session.execute(text("select 1 from kept where id = :id"), {"id": row})).scalar())


async def test_the_scope_is_set_and_gone_with_the_transaction(database: Database) -> None:
    first, second = new_id(), new_id()
    async with database.transaction(first, second) as session:
        assert (await session.execute(SCOPE)).scalar_one() == f"{first},{second}"
    async with database.transaction() as session:
        assert not (await session.execute(SCOPE)).scalar_one()


async def test_all_or_nothing(database: Database) -> None:
    lost, kept = new_id(), new_id()
    with pytest.raises(Broken):
        await keep(database, lost, error=Broken)
    with pytest.raises(asyncio.CancelledError):
        await keep(database, lost, error=asyncio.CancelledError)
    await keep(database, kept)
    assert not await is_kept(database, lost)
    assert await is_kept(database, kept)


async def test_a_task_cancelled_in_a_statement_leaves_a_usable_connection(database: Database) -> None:
    lost = new_id()

    async def slow() -> None:
        async with database.transaction() as session:
            await session.execute(text("insert into kept values (:id)"), {"id": lost})
            await session.execute(text("select pg_sleep(30)"))

    task = asyncio.create_task(slow())
    await asyncio.wait({task}, timeout=0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await is_kept(database, lost)


async def test_connections_that_the_server_closed_are_replaced_without_an_error(
    servers: Servers, database: Database
) -> None:
    await keep(database, new_id())
    admin = await asyncpg.connect(servers.admin_url, password=servers.secret("postgres_admin"))
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'transactions'"
    )
    await admin.close()
    row = new_id()
    await keep(database, row)
    assert await is_kept(database, row)
