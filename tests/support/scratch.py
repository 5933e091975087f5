"""A database with nothing but outbox, inbox and one table, beside the provisioned broker: for tests of the backbone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

from libs.database import Database
from libs.messaging import Bus, connect, inbox, tombstones
from libs.messaging.provision import provision
from libs.messaging.topology import wake_subject
from libs.outbox import OutboxHook, Relay
from libs.outbox import schema as outbox_schema
from tests.support.servers import Servers

SERVICE = "voice"
"""The relay under test publishes as this service, into this service's stream."""
STREAM = "EVT_VOICE"


@dataclass
class Scratch:
    """One database of its own, with what a service has."""

    servers: Servers
    name: str
    bus: Bus
    database: Database

    @property
    def url(self) -> str:
        return str(make_url(self.servers.postgres_url).set(username="antiphon", database=self.name))

    @property
    def password(self) -> str:
        return self.servers.secret("postgres_admin")

    def relay(self) -> Relay:
        return Relay(self.bus, SERVICE, self.url, self.password)

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(self.url, password=self.password)

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await self.connect()
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        relay = self.relay()
        task = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            relay.stop()
            await asyncio.wait_for(task, 10)


@asynccontextmanager
async def scratch_database(servers: Servers, name: str | None = None) -> AsyncIterator[Scratch]:
    """Make a database (or take the one called `name`) and connect to it and to the broker."""
    password = servers.secret("postgres_admin")
    fresh = name or f"scratch_{uuid4().hex}"
    url = str(make_url(servers.postgres_url).set(username="antiphon", database=fresh))
    bus = await connect(servers.nats("provisioner"), "test")
    if name is None:
        await _create(servers, fresh, url, password)
        await provision(bus.jetstream, [])
    database = Database(url, password, application="test", hooks=[OutboxHook(lambda: bus.wake(wake_subject(SERVICE)))])
    try:
        yield Scratch(servers, fresh, bus, database)
    finally:
        await database.close()
        await bus.close()


async def _create(servers: Servers, name: str, url: str, password: str) -> None:
    admin = await asyncpg.connect(servers.admin_url, password=password)
    await admin.execute(f"create database {name}")
    await admin.close()
    connection = await asyncpg.connect(url, password=password)
    for statement in (*inbox.SCHEMA, *tombstones.SCHEMA, *outbox_schema.CURRENT):
        await connection.execute(statement)
    await connection.execute("create table applied (position bigserial, aggregate text, name text)")
    await connection.close()
