"""Statements that the driver executes say what SQLAlchemy would say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.engine import make_url

from libs.database import Database, Prepared
from libs.ids import new_id
from tests.support.servers import Servers

_uuid = PgUuid(as_uuid=True)
things = Table(
    "things",
    MetaData(),
    Column("id", _uuid, primary_key=True),
    Column("name", Text),
    Column("facts", JSONB),
    Column("size", Integer),
)


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    url = str(make_url(servers.postgres_url).set(username="antiphon", database="postgres"))
    database = Database(url, servers.secret("postgres_admin"), application="prepared", pool_size=1)
    async with database.transaction() as session:
        await session.execute(
            text("create table if not exists things (id uuid primary key, name text, facts jsonb, size integer)")
        )
    yield database
    await database.close()


async def test_what_is_written_is_read(database: Database) -> None:
    write = Prepared(insert(things), columns=("id", "name", "facts"))
    read = Prepared(select(things).where(things.c.id == bindparam("wanted", type_=_uuid)))
    written = {"id": new_id(), "name": "café 🎈", "facts": {"a": [1, None]}}
    async with database.transaction() as session:
        await write.fetch(session, **written)
        row = await read.fetch_one(session, wanted=written["id"])
        assert row is not None
        assert dict(row) == written | {"size": None}
        assert await read.fetch_one(session, wanted=new_id()) is None


async def test_constants_and_lists_are_part_of_the_statement(database: Database) -> None:
    first, second, third = (new_id() for _ in range(3))
    write = Prepared(insert(things).values(size=7, facts={"made": True}), columns=("id",))
    read = Prepared(
        text("select id, facts->>'made' as made, size from things where id = any(:ids) order by id").bindparams(
            bindparam("ids", type_=ARRAY(_uuid))
        )
    )
    async with database.transaction() as session:
        for one in (first, second):
            await write.fetch(session, id=one)
        rows = await read.fetch(session, ids=[first, second, third])
        assert [tuple(row) for row in rows] == [(first, "true", 7), (second, "true", 7)]
