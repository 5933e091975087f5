"""Transactions are scoped, atomic, and leave nothing behind on the connections that they borrow."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from libs.database import Database, driver_of, is_database_away
from libs.database.provision import IDLE_SECONDS
from libs.ids import new_id
from services.gateway.domain.routes import ANSWER_SECONDS
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


async def close_connections(servers: Servers) -> None:
    admin = await asyncpg.connect(servers.admin_url, password=servers.secret("postgres_admin"))
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'transactions'"
    )
    await admin.close()


async def test_connections_that_the_server_closed_are_replaced_without_an_error(
    servers: Servers, database: Database
) -> None:
    await keep(database, new_id())
    await close_connections(servers)
    row = new_id()
    await keep(database, row)
    assert await is_kept(database, row)


async def stand_still(servers: Servers, database: Database, row: UUID) -> None:
    """Hold a row, say nothing, and go on once somebody else has deleted it."""
    other = await asyncpg.connect(servers.admin_url, password=servers.secret("postgres_admin"), database="postgres")
    try:
        async with database.transaction(holding=f"select from kept where id = '{row}' for update") as session:
            await driver_of(session).execute("set local idle_in_transaction_session_timeout = 100")
            await other.execute("delete from kept where id = $1", row)
            await driver_of(session).execute("select 1")
    finally:
        await other.close()


async def test_who_stands_still_in_a_transaction_loses_it_and_what_it_held(
    servers: Servers, database: Database
) -> None:
    row = new_id()
    await keep(database, row)
    # Which of the three it is depends on how much the driver has heard of the end when it is asked for more.
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)) as lost:
        await stand_still(servers, database, row)
    assert is_database_away(lost.value), "it is tried again"
    assert not await is_kept(database, row)


async def test_services_lose_their_transactions_before_a_request_ends(servers: Servers) -> None:
    await asyncio.to_thread(servers.migrate, "voice")
    service = servers.database("voice")
    async with service.transaction() as session:
        told = await driver_of(session).fetchval("show idle_in_transaction_session_timeout")
    await service.close()
    assert told == f"{IDLE_SECONDS}s"
    assert IDLE_SECONDS < ANSWER_SECONDS


async def test_what_a_transaction_holds_it_holds_from_its_beginning_to_its_end(
    servers: Servers, database: Database
) -> None:
    row = new_id()
    await keep(database, row)
    other = await asyncpg.connect(servers.admin_url, password=servers.secret("postgres_admin"), database="postgres")
    try_lock = f"select from kept where id = '{row}' for update nowait"
    async with database.transaction(new_id(), holding=f"select from kept where id = '{row}' for update") as session:
        assert (await session.execute(SCOPE)).scalar_one()
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute(try_lock)
    await other.execute(try_lock)
    await other.close()


async def insert_apart(database: Database, row: UUID) -> None:
    async with database.apart() as session:
        await driver_of(session).execute("insert into kept values ($1)", row)
        assert not await driver_of(session).fetchval("select current_setting('app.orgs', true)")
        raise Broken


async def test_a_statement_apart_is_a_transaction_of_its_own_that_sees_nobodys_rows(database: Database) -> None:
    row = new_id()
    await keep(database, new_id())
    with pytest.raises(Broken):
        await insert_apart(database, row)
    assert await is_kept(database, row)


async def test_what_is_done_apart_fails_once_at_most_after_the_server_closed_the_connection(
    servers: Servers, database: Database
) -> None:
    await keep(database, new_id())
    await close_connections(servers)
    outcomes = []
    # The last but one is what the driver says when the server's word comes just then.
    ended = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.InternalClientError, OSError)
    for _ in range(2):
        with contextlib.suppress(*ended):
            async with database.apart() as session:
                outcomes.append(await driver_of(session).fetchval("select true"))
    assert outcomes[-1:] == [True]


async def test_who_is_cancelled_in_a_statement_apart_leaves_a_usable_connection(database: Database) -> None:
    async def slow() -> None:
        async with database.apart() as session:
            await driver_of(session).execute("select pg_sleep(30)")

    task = asyncio.create_task(slow())
    await asyncio.wait({task}, timeout=0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await keep(database, new_id())


@pytest.mark.parametrize("error", [None, Broken])
async def test_a_connection_in_use_when_the_database_is_closed_ends_with_its_transaction(
    database: Database, error: type[Exception] | None
) -> None:
    with contextlib.suppress(Broken):
        async with database.transaction() as session:
            driver = driver_of(session)
            await database.close()
            assert not driver.is_closed()
            if error:
                raise error
    assert driver.is_closed()


async def test_a_connection_lent_apart_when_the_database_is_closed_ends_when_it_is_back(database: Database) -> None:
    async with database.apart() as session:
        driver = driver_of(session)
        await database.close()
    assert driver.is_closed()
