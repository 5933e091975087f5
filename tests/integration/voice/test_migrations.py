from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from deploy.embedded.credentials import POSTGRES_ADMIN
from libs.database import migrate
from libs.ids import new_id
from tests.support.servers import Servers

OBJECTS = """
select c.relkind::text || ' ' || c.relname from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relname not like 'alembic_version%'
union all
select 'function ' || p.proname from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.proname not like 'vector%'
union all
select 'policy ' || tablename || '.' || policyname from pg_policies
order by 1
"""


@pytest.fixture
def scratch(servers: Servers, migrated: Callable[[str], None]) -> Iterator[str]:
    """The URL, as the owner, of an empty database beside the service's own."""
    migrated("voice")  # makes the roles
    name = f"scratch_{new_id().hex}"
    asyncio.run(_execute(servers, f'create database "{name}" owner voice_owner'))
    yield str(make_url(servers.url("owner", "voice")).set(database=name))
    asyncio.run(_execute(servers, f'drop database "{name}" with (force)'))


def test_the_schema_goes_up_down_and_up_again(servers: Servers, scratch: str) -> None:
    password = servers.service_database("voice").owner_password
    migrate.upgrade("voice", scratch, password)
    first = asyncio.run(_objects(scratch, password))
    assert {"r voices", "r voice_samples", "r outbox", "policy voices.voices_read"} <= set(first)
    migrate.downgrade("voice", scratch, password)
    assert asyncio.run(_objects(scratch, password)) == []
    migrate.upgrade("voice", scratch, password)
    assert asyncio.run(_objects(scratch, password)) == first
    migrate.upgrade("voice", scratch, password)


async def _objects(url: str, password: str) -> list[str]:
    connection = await asyncpg.connect(url, password=password)
    try:
        return [row[0] for row in await connection.fetch(OBJECTS)]
    finally:
        await connection.close()


async def _execute(servers: Servers, statement: str) -> None:
    connection = await asyncpg.connect(servers.admin_url, password=servers.secret(POSTGRES_ADMIN))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
