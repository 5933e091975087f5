"""A cluster, and a scratch database whose service is connected to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from libs.database import Database
from libs.messaging import Bus, Consumers, connect, inbox, tombstones
from libs.messaging.provision import provision
from libs.outbox import OutboxHook, Relay
from libs.outbox import schema as outbox_schema
from tests.integration.cluster.brokers import SIZE, Cluster, running_cluster
from tests.support.polling import eventually
from tests.support.servers import Servers

# The relay under test publishes as this service, into this service's stream.
SERVICE = "voice"


@dataclass(frozen=True)
class Service:
    """What a service has: its database, its connection to the cluster, its relay."""

    url: str
    password: str
    bus: Bus
    relay: Relay
    database: Database

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url, password=self.password)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    with running_cluster(tmp_path) as running:
        await running.healthy()
        yield running


@asynccontextmanager
async def service_on(servers: Servers, cluster: Cluster, consumers: Consumers) -> AsyncIterator[Service]:
    """Make a scratch database, provision the cluster for `consumers`, and connect a service to both."""
    password = servers.secret("postgres_admin")
    name = f"scratch_{uuid4().hex}"
    admin = await asyncpg.connect(servers.admin_url, password=password)
    await admin.execute(f"create database {name}")
    await admin.close()
    url = str(make_url(servers.postgres_url).set(username="antiphon", database=name))
    connection = await asyncpg.connect(url, password=password)
    for statement in (*inbox.SCHEMA, *tombstones.SCHEMA, *outbox_schema.CURRENT):
        await connection.execute(statement)
    await connection.close()
    bus = await connect(cluster.address, "test")

    async def ready_for_streams() -> bool:
        return (await bus.jetstream.account_info()).limits is not None

    await eventually(ready_for_streams, within=30, what="JetStream on the cluster")
    await provision(bus.jetstream, [consumers], replicas=SIZE)
    relay = Relay(bus, SERVICE, url, password, replicas=SIZE)
    database = Database(url, password, application="test", hooks=[OutboxHook(relay.wake)])
    try:
        yield Service(url, password, bus, relay, database)
    finally:
        await database.close()
        await bus.close()
