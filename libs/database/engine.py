"""A service's database: short transactions, each inside the organisations that it names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

_SET_SCOPE = text("select set_config('app.orgs', :orgs, true)")


class TransactionHook(Protocol):
    """What happens around every commit."""

    async def before_commit(self, session: AsyncSession) -> None:
        """Run inside the transaction, last."""
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
        self._hooks = tuple(hooks)

    @asynccontextmanager
    async def transaction(self, *org_ids: UUID) -> AsyncIterator[AsyncSession]:
        """Open a transaction scoped to `org_ids`; commit at the end, roll back on an exception."""
        async with self._sessions() as session:
            async with session.begin():
                if org_ids:
                    await session.execute(_SET_SCOPE, {"orgs": ",".join(map(str, org_ids))})
                yield session
                for hook in self._hooks:
                    await hook.before_commit(session)
            for hook in self._hooks:
                await hook.after_commit(session)

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self._engine.connect() as connection:
            await connection.execute(text("select 1"))

    async def close(self) -> None:
        """Close every pooled connection."""
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
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_recycle=1800,
        pool_use_lifo=True,
        # Parameters are users' data: they stay out of exceptions, and so out of logs.
        hide_parameters=True,
        connect_args=connect_args,
    )
