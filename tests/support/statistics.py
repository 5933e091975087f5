"""Tables that PostgreSQL knows nothing of, or only what was once: what it reads should not depend on that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.support.servers import Servers

NEVER = "select pg_clear_relation_stats('public', '{table}')"
WHEN_EMPTY = (
    "select pg_restore_relation_stats('schemaname', 'public', 'relname', '{table}', "
    "'relpages', 200, 'reltuples', 0::real, 'relallvisible', 0)"
)
_READ = text(
    "select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables "
    "where relname = any(:tables)"
)


async def forget_statistics(servers: Servers, database: str, tables: Mapping[str, str]) -> None:
    """Make tables look as if they had NEVER been looked at, or last WHEN_EMPTY."""
    connection = await asyncpg.connect(servers.admin_url, password=servers.secret("postgres_admin"), database=database)
    try:
        for table, how in tables.items():
            await connection.execute(how.format(table=table))
            await connection.execute(
                "select pg_clear_attribute_stats('public', $1, attname, false) from pg_attribute "
                "where attrelid = $1::regclass and attnum > 0 and not attisdropped",
                table,
            )
    finally:
        await connection.close()


async def rows_read(session: AsyncSession, tables: Sequence[str]) -> int:
    """Return how many rows of tables the transaction has read so far."""
    return int((await session.execute(_READ, {"tables": list(tables)})).scalar_one() or 0)
