"""A service's database: short transactions, each inside the organisations that it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol, TypeAlias, cast
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class TransactionHook(Protocol):
    """What happens around every commit."""

    async def before_commit(self, session: AsyncSession, driver: Driver) -> None:
        """Run inside the transaction, last; `driver` is its connection, for what must cost little."""
        ...

    async def after_commit(self, session: AsyncSession) -> None:
        """Run once the transaction is durable; must not fail."""
        ...


class Database:
    """Transactions on one PostgreSQL database.

    Row-level security lets a transaction see and change only rows of the organisations it was
    opened for; a transaction opened for none sees no tenant's row.
    """

    def __init__(
        self,
        url: str,
        password: str,
        *,
        application: str,
        pool_size: int = 8,
        pooled: bool = False,
        hooks: Sequence[TransactionHook] = (),
    ) -> None:
        """Open lazily on `url` (`postgresql://user@host:port/database`).

        `pooled` says that a pooler in transaction mode stands between: then no prepared statement
        may outlive its transaction, so both statement caches are off and names are unique.
        """
        self._engine = _engine(url, password, application=application, pool_size=pool_size, pooled=pooled)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._pool_size = pool_size
        self._hooks = list(hooks)

    def add_hook(self, hook: TransactionHook) -> None:
        """Run `hook` around every commit from now on, after those that are there."""
        self._hooks.append(hook)

    @asynccontextmanager
    async def transaction(self, *org_ids: UUID) -> AsyncIterator[AsyncSession]:
        """Open a transaction scoped to `org_ids`; commit at the end, roll back on an exception."""
        session, driver = await self._begin(org_ids)
        try:
            try:
                yield session
                await session.flush()
                for hook in self._hooks:
                    await hook.before_commit(session, driver)
                await driver.execute("commit")
            except BaseException:
                await _roll_back(session, driver)
                raise
            for hook in self._hooks:
                await hook.after_commit(session)
        finally:
            await session.close()

    async def _begin(self, org_ids: tuple[UUID, ...]) -> tuple[AsyncSession, Driver]:
        """Begin on a connection that works: those that a restart of the server left in the pool are given up."""
        # One round trip for both: the values are UUIDs, so nothing needs quoting.
        scope = f"; set local app.orgs = '{','.join(map(str, org_ids))}'" if org_ids else ""
        for left in reversed(range(self._pool_size + 1)):
            session = self._sessions()
            try:
                driver = await _driver_connection(session)
            except BaseException:
                await session.close()
                raise
            try:
                await driver.execute(f"begin{scope}")
            except (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError, OSError):
                await session.invalidate()
                if not left:
                    raise
            except BaseException:
                await session.invalidate()
                raise
            else:
                return session, driver
        raise AssertionError("unreachable")

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("select 1"))

    async def now(self) -> datetime:
        """Return the server's time."""
        async with self._engine.connect() as connection:
            moment: datetime = await connection.scalar(text("select clock_timestamp()"))
        return moment

    async def close(self) -> None:
        """Close every pooled connection."""
        await self._engine.dispose()


async def _driver_connection(session: AsyncSession) -> Driver:
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    # The pool types this as anything or nothing; with asyncpg it is always its connection.
    return cast("Driver", raw.driver_connection)


async def _roll_back(session: AsyncSession, driver: Driver) -> None:
    """End the transaction; a connection on which that cannot be done is given up, and its transaction with it."""
    try:
        # A request that is cancelled must not leave its transaction to the next one.
        await asyncio.shield(asyncio.ensure_future(driver.execute("rollback")))
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError, OSError):
        await session.invalidate()
    except BaseException:
        await session.invalidate()
        raise


def _engine(url: str, password: str, *, application: str, pool_size: int, pooled: bool) -> AsyncEngine:
    connect_args: dict[str, object] = {"timeout": 10, "command_timeout": 60}
    if pooled:
        connect_args |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"ap_{uuid4().hex}",
        }
    else:
        connect_args["server_settings"] = {"application_name": application, "jit": "off"}
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg", password=password),
        # Transactions are begun and ended here, by `transaction`, in fewer round trips than SQLAlchemy's own.
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_recycle=1800,
        pool_use_lifo=True,
        # Parameters are users' data: they stay out of exceptions, and so out of logs.
        hide_parameters=True,
        connect_args=connect_args,
    )
