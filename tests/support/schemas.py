"""Databases for tests of migrations: empty ones beside a service's own, and what a schema holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.engine import make_url

from deploy.embedded.credentials import POSTGRES_ADMIN
from libs.ids import new_id
from tests.support.servers import Servers

# Functions of extensions belong to whoever may make extensions, not to the schema's owner.
_OBJECTS = """
select c.relkind::text || ' ' || c.relname from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relname not like 'alembic_version%'
union all
select 'function ' || p.proname from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.proowner = current_user::regrole
union all
select 'policy ' || tablename || '.' || policyname from pg_policies
order by 1
"""


@contextmanager
def empty_database(servers: Servers, service: str) -> Iterator[str]:
    """Make an empty database beside a service's own, which is there; yields its URL, as the owner."""
    name = f"scratch_{new_id().hex}"
    asyncio.run(_administer(servers, f'create database "{name}" owner {service}_owner'))
    yield str(make_url(servers.url("owner", service)).set(database=name))
    asyncio.run(_administer(servers, f'drop database "{name}" with (force)'))


async def objects_of(url: str, password: str) -> list[str]:
    """Return the relations, functions and policies that a schema's owner has made, each by its kind and name."""
    connection = await asyncpg.connect(url, password=password)
    try:
        return [row[0] for row in await connection.fetch(_OBJECTS)]
    finally:
        await connection.close()


async def _administer(servers: Servers, statement: str) -> None:
    connection = await asyncpg.connect(servers.admin_url, password=servers.secret(POSTGRES_ADMIN))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
