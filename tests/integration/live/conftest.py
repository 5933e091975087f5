"""Gateways that tell events, on the real broker and the real database."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest

from deploy.init import all_consumers
from libs.database import Database
from libs.messaging import Bus, connect
from libs.messaging.provision import provision
from services.gateway.adapters.event_feed import STREAMS, EventFeed
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.sealing import Sealing
from services.gateway.adapters.services import Services
from services.gateway.adapters.strangers import Strangers
from services.gateway.api.door import Door
from services.gateway.api.front import Front
from services.gateway.api.handlers import answers, websockets
from services.gateway.api.keys import Keys
from services.gateway.api.own import create_own
from services.gateway.api.problems import PROBLEMS
from services.gateway.domain.hosts import Hosts
from services.gateway.domain.places import Seal
from services.gateway.domain.route_table import RouteTable
from services.gateway.domain.routes import ROUTES
from services.gateway.usecases import organizations
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.idempotency import Requests
from services.gateway.usecases.limiter import Limiter
from services.gateway.usecases.live import Subscriptions
from services.gateway.usecases.voices import VoiceNames
from tests.integration.gateway.conftest import IDENTITY_KEYS, PLANS, STRANGERS, Tenant, new_tenant
from tests.integration.gateway.serving import HOST, free_port, serving
from tests.integration.live.running import running
from tests.support.servers import Servers


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def schema(migrated: Callable[[str], None]) -> None:
    migrated("gateway")


@pytest.fixture
async def database(servers: Servers, schema: None) -> AsyncIterator[Database]:
    opened = servers.database("gateway")
    yield opened
    await opened.close()


@pytest.fixture
async def operator(servers: Servers) -> AsyncIterator[Bus]:
    """The provisioned broker, as who may do everything there."""
    bus = await connect(servers.nats("provisioner"), "operator")
    await provision(bus.jetstream, all_consumers())
    yield bus
    await bus.close()


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await new_tenant(database)


@pytest.fixture
async def other(database: Database) -> Tenant:
    return await new_tenant(database)


@dataclass
class Replica:
    """A running gateway."""

    url: str
    feed: EventFeed
    subscriptions: Subscriptions


Replicas = Callable[[], contextlib.AbstractAsyncContextManager[Replica]]


@pytest.fixture
def replicas(servers: Servers, operator: Bus, database: Database) -> Replicas:
    """Makes gateways, all alike."""

    @contextlib.asynccontextmanager
    async def start() -> AsyncIterator[Replica]:
        bus = await connect(servers.nats("gateway"), "gateway")
        services = Services(dict.fromkeys(IDENTITY_KEYS, f"http://{HOST}:{free_port()}"), IDENTITY_KEYS, now)
        limiter = Limiter(database, PLANS)
        feed = EventFeed(bus, now)
        subscriptions = Subscriptions(feed, Seal(b"secret", len(STREAMS)))
        deps = Deps(
            database=database,
            clock=now,
            services=services,
            limiter=limiter,
            voice_names=VoiceNames(time.monotonic),
            subscriptions=subscriptions,
        )

        async def readiness() -> dict[str, bool]:
            return {"started": True}

        own = create_own(deps, readiness)
        keys = Keys(
            KnownKeys(partial(organizations.authenticate, database, now), time.monotonic),
            Strangers(STRANGERS, time.monotonic),
        )
        door = Door(
            routes=RouteTable(ROUTES),
            keys=keys,
            answer=answers(services, limiter, Requests(database, now, Sealing(IDENTITY_KEYS)), own),
            own=own,
            sockets=websockets(keys, deps),
            front=Front(Hosts([])),
            problems=PROBLEMS,
        )
        async with running(feed.run), running(subscriptions.run), serving(door) as url:
            yield Replica(url, feed, subscriptions)
            subscriptions.stop()
        await services.close()
        await limiter.close()
        await bus.close()

    return start


@pytest.fixture
async def replica(replicas: Replicas) -> AsyncIterator[Replica]:
    async with replicas() as started:
        yield started
