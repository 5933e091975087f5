"""A scratch database with outbox and inbox, and the provisioned broker, for tests of the messaging libraries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import pytest
from nats.js.api import DeliverPolicy
from sqlalchemy.engine import make_url

from libs.database import Database
from libs.messaging import Bus, Consumers, connect, inbox
from libs.messaging.provision import provision
from libs.messaging.topology import durables
from libs.outbox import OutboxHook, Relay, wake_subject
from libs.outbox import schema as outbox_schema
from tests.support.servers import Servers

# The relay under test publishes as this service, into this service's stream.
SERVICE = "voice"


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

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url, password=self.password)
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


@pytest.fixture
async def scratch(servers: Servers) -> AsyncIterator[Scratch]:
    name = f"scratch_{uuid4().hex}"
    password = servers.secret("postgres_admin")
    admin = await asyncpg.connect(servers.admin_url, password=password)
    await admin.execute(f"create database {name}")
    await admin.close()
    bus = await connect(servers.nats("provisioner"), "test")
    url = str(make_url(servers.postgres_url).set(username="antiphon", database=name))
    await provision(bus.jetstream, [])
    connection = await asyncpg.connect(url, password=password)
    for statement in (*inbox.SCHEMA, *outbox_schema.CURRENT):
        await connection.execute(statement)
    await connection.execute("create table applied (position bigserial, aggregate text, name text)")
    await connection.close()
    database = Database(url, password, application="test", hooks=[OutboxHook(lambda: bus.wake(wake_subject(SERVICE)))])
    try:
        yield Scratch(servers, name, bus, database)
    finally:
        await database.close()
        await bus.close()


@pytest.fixture
def group() -> str:
    """A consumer group that no other test uses."""
    return f"test_{uuid4().hex[:12]}"


@pytest.fixture
def provisioned(scratch: Scratch) -> Callable[[Consumers], object]:
    """Call and await it with consumers to have their durables, which see only what comes later.

    All tests share the streams: a durable from the beginning would be given other tests' events.
    """

    async def ensure(consumers: Consumers) -> None:
        for stream, config in durables([consumers]):
            await scratch.bus.jetstream.add_consumer(stream, config.evolve(deliver_policy=DeliverPolicy.NEW))

    return ensure
