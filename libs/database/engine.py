"""A service's database: short transactions, each inside the organisations that it names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias, cast
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

WAIT_SECONDS = 30.0
"""How long a transaction waits for a connection when all are in use."""
RECYCLE_SECONDS = 1800.0
"""How old a connection may become."""
_DRIVER, _FORGETTABLE = "database.driver", "database.forgettable"
_BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError, OSError)
"""What is raised on a connection that the server or the network ended."""


class TransactionHook(Protocol):
    """What happens around every commit."""

    async def before_commit(self, session: AsyncSession, driver: Driver) -> None:
        """Run inside the transaction, last; `driver` is its connection, for what must cost little."""
        ...

    async def after_commit(self, session: AsyncSession) -> None:
        """Run once the transaction is durable; must not fail."""
        ...


def driver_of(session: AsyncSession) -> Driver:
    """Return the driver's own connection, on which the transaction of `session` runs.

    For the few statements of which there are many: SQLAlchemy takes several times as long over one as PostgreSQL does.
    Arguments are $1, $2 …; JSON goes as text and comes decoded; errors are the driver's.
    """
    return cast("Driver", session.info[_DRIVER])


async def require_durable(session: AsyncSession, driver: Driver) -> None:
    """Have the transaction of `session` wait for the disk after all, if it was not to."""
    if session.info.pop(_FORGETTABLE, False):
        await driver.execute("set local synchronous_commit to default")


@dataclass(frozen=True, slots=True)
class _Lease:
    """A session that stays on its connection from one transaction to the next: taking it anew costs more than both."""

    session: AsyncSession
    driver: Driver
    expires_at: float


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
        self._room = asyncio.Semaphore(pool_size)
        # The last one that was used comes first, so that few are used when there is little to do.
        self._idle: list[_Lease] = []
        self._closed = False
        self._hooks = list(hooks)

    def add_hook(self, hook: TransactionHook) -> None:
        """Run `hook` around every commit from now on, after those that are there."""
        self._hooks.append(hook)

    @asynccontextmanager
    async def transaction(
        self, *org_ids: UUID, holding: str = "", forgettable: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """Open a transaction scoped to `org_ids`; commit at the end, roll back on an exception.

        `holding` is a statement that takes the locks with which it begins, in the same round trip: without parameters,
        so with nothing but ids of ours in it, and its rows are not seen.

        What is `forgettable` can be done again: the commit does not wait for the disk, and a server that dies within
        the second may forget it, though never without all that came after it. With an event it waits as any other.
        """
        await self._enter()
        try:
            lease = await self._begin(org_ids, holding, forgettable=forgettable)
            session, driver = lease.session, lease.driver
            try:
                yield session
                for hook in self._hooks:
                    await hook.before_commit(session, driver)
                await driver.execute("commit")
            except BaseException:
                await self._roll_back(lease)
                raise
            try:
                for hook in self._hooks:
                    await hook.after_commit(session)
            finally:
                await self._put_back(lease)
        finally:
            self._room.release()

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[AsyncSession]:
        """Lend a connection on which each statement is a transaction of its own; it sees no organisation's row.

        One round trip where a transaction takes three. There are no events and no hooks. An error leaves the connection
        to nobody: what failed may or may not have been done.
        """
        await self._enter()
        try:
            while self._idle and self._idle[-1].driver.is_closed():
                await self._idle.pop().session.close()
            lease = self._idle.pop() if self._idle else await self._open()
            lease.session.info[_DRIVER] = lease.driver
            try:
                yield lease.session
            except BaseException:
                await lease.session.invalidate()
                raise
            await self._put_back(lease)
        finally:
            self._room.release()

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._room.acquire()
        except TimeoutError as error:
            raise PoolTimeoutError(f"no connection was free for {WAIT_SECONDS:.0f} s") from error

    async def _begin(self, org_ids: tuple[UUID, ...], holding: str, *, forgettable: bool) -> _Lease:
        """Begin on a connection that works: those that a restart of the server left behind are given up."""
        # One round trip for both: the values are UUIDs, so nothing needs quoting.
        begin = f"begin; set local app.orgs = '{','.join(map(str, org_ids))}'" if org_ids else "begin"
        begin = f"{begin}; set local synchronous_commit to off" if forgettable else begin
        begin = f"{begin}; {holding}" if holding else begin
        # Each of those that are there may be of no use; then there is room for a new one.
        for left in reversed(range(2 * self._pool_size + 1)):
            lease = self._idle.pop() if self._idle else await self._open()
            if lease.expires_at < time.monotonic():
                await lease.session.close()
                continue
            try:
                await lease.driver.execute(begin)
            except BaseException as error:
                await lease.session.invalidate()
                if not left or not isinstance(error, _BROKEN):
                    raise
            else:
                lease.session.info[_DRIVER] = lease.driver
                lease.session.info[_FORGETTABLE] = forgettable
                return lease
        raise AssertionError("unreachable")

    async def _open(self) -> _Lease:
        session = self._sessions()
        try:
            connection = await session.connection()
            raw = await connection.get_raw_connection()
        except BaseException:
            await session.close()
            raise
        # The pool types this as anything or nothing; with asyncpg it is always its connection.
        return _Lease(session, cast("Driver", raw.driver_connection), time.monotonic() + RECYCLE_SECONDS)

    async def _put_back(self, lease: _Lease) -> None:
        """Keep a session whose transaction is committed for the next one."""
        lease.session.info.clear()
        if self._closed:
            # A pool that is disposed of would take it back, and nobody would ever close it.
            await lease.session.invalidate()
        else:
            self._idle.append(lease)

    async def _roll_back(self, lease: _Lease) -> None:
        """End the transaction; a connection on which that cannot be done is given up, and its transaction with it."""
        try:
            # A request that is cancelled must not leave its transaction to the next one.
            await asyncio.shield(asyncio.ensure_future(lease.driver.execute("rollback")))
        except (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError, OSError):
            await lease.session.invalidate()
        except BaseException:
            await lease.session.invalidate()
            raise
        else:
            # What SQLAlchemy made of the failure goes with its session; the connection returns to its pool.
            await (lease.session.invalidate() if self._closed else lease.session.close())

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.transaction() as session:
            await driver_of(session).execute("select 1")

    async def now(self) -> datetime:
        """Return the server's time."""
        async with self.transaction() as session:
            moment: datetime = await driver_of(session).fetchval("select clock_timestamp()")
        return moment

    async def close(self) -> None:
        """Close every connection; one that is in use when its transaction has ended."""
        self._closed = True
        while self._idle:
            await self._idle.pop().session.close()
        await self._engine.dispose()


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
        pool_recycle=int(RECYCLE_SECONDS),
        pool_use_lifo=True,
        # Parameters are users' data: they stay out of exceptions, and so out of logs.
        hide_parameters=True,
        connect_args=connect_args,
    )
