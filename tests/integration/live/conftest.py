"""Gateways that tell events, on the real broker and the real database."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import pytest

from deploy.init import all_consumers
from libs.database import Database
from libs.messaging import Bus, connect
from libs.messaging.projections import ProjectionRunner
from libs.messaging.provision import provision
from libs.messaging.topology import projections_by_stream
from services.gateway.adapters.event_feed import STREAMS, EventFeed
from services.gateway.adapters.key_changes import KeyChanges, KeySignals
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.plans import Plans
from services.gateway.adapters.sealing import Sealing
from services.gateway.adapters.services import Services
from services.gateway.adapters.strangers import Strangers
from services.gateway.adapters.webhook_sender import LookUp, WebhookSender, look_up
from services.gateway.adapters.webhook_wakes import WebhookWakes
from services.gateway.api.door import Door
from services.gateway.api.front import Front
from services.gateway.api.handlers import answers, websockets
from services.gateway.api.keys import Keys
from services.gateway.api.own import create_own
from services.gateway.api.problems import PROBLEMS
from services.gateway.consumers import CONSUMERS
from services.gateway.domain.addresses import Allowed
from services.gateway.domain.hosts import Hosts
from services.gateway.domain.places import Seal
from services.gateway.domain.route_table import RouteTable
from services.gateway.domain.routes import ROUTES
from services.gateway.domain.visitors import Visitors
from services.gateway.usecases import organizations
from services.gateway.usecases.delivering import Deliverer
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.idempotency import Requests
from services.gateway.usecases.limiter import Limiter
from services.gateway.usecases.live import Subscriptions
from services.gateway.usecases.voices import VoiceNames
from services.gateway.usecases.webhooks import Webhooks
from tests.integration.gateway.conftest import IDENTITY_KEYS, KEYRING, PLANS, STRANGERS, Tenant, new_tenant
from tests.integration.gateway.serving import HOST, free_port, serving
from tests.integration.live.running import running
from tests.support.outbox import UNSENT
from tests.support.servers import Servers

LOOPBACK = Allowed.of(["127.0.0.1"])
GIVEN_UP_SECONDS = 2.0
"""How long an endpoint that does not answer is waited for."""


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
    deliverer: Deliverer


class Replicas(Protocol):
    """Makes gateways, all alike but for where their webhooks may lead, what names lead to, and how long they wait."""

    def __call__(
        self,
        allowed: Allowed = ...,
        look_up: LookUp = ...,
        clock: Callable[[], datetime] = ...,
        given_up_seconds: float = ...,
    ) -> contextlib.AbstractAsyncContextManager[Replica]: ...


@pytest.fixture
def replicas(servers: Servers, operator: Bus, schema: None) -> Replicas:
    """Makes gateways."""

    @contextlib.asynccontextmanager
    async def start(
        allowed: Allowed = LOOPBACK,
        look_up: LookUp = look_up,
        clock: Callable[[], datetime] = now,
        given_up_seconds: float = GIVEN_UP_SECONDS,
    ) -> AsyncIterator[Replica]:
        bus = await connect(servers.nats("gateway"), "gateway")
        database = servers.database("gateway", [UNSENT, KeySignals(bus), WebhookWakes(bus)])
        feed = EventFeed(bus, now)
        deps = _deps(servers, bus, feed, database, Webhooks(database, clock, allowed, KEYRING))
        subscriptions = deps.subscriptions
        sender = WebhookSender(allowed, look_up, total_seconds=given_up_seconds)
        deliverer = Deliverer(database, clock, sender, KEYRING)
        await deliverer.listen(bus)
        known = KnownKeys(partial(organizations.authenticate, database, now), time.monotonic)
        changes = KeyChanges(database, known, time.monotonic)
        changes.on_change(subscriptions.end_changed)
        await changes.listen(bus)
        async with contextlib.AsyncExitStack() as stack:
            for part in (feed.run, subscriptions.run, changes.run, deliverer.run, *_projections(bus, database)):
                await stack.enter_async_context(running(part))
            url = await stack.enter_async_context(serving(_door(deps, known)))
            yield Replica(url, feed, subscriptions, deliverer)
            subscriptions.stop()
        for opened in (deliverer, sender, deps.services, deps.limiter, deps.objects, bus, database):
            await opened.close()

    return start


def _deps(servers: Servers, bus: Bus, feed: EventFeed, database: Database, webhooks: Webhooks) -> Deps:
    return Deps(
        database=database,
        clock=now,
        services=Services(dict.fromkeys(IDENTITY_KEYS, f"http://{HOST}:{free_port()}"), IDENTITY_KEYS, now),
        limiter=Limiter(database, PLANS),
        voice_names=VoiceNames(time.monotonic),
        subscriptions=Subscriptions(feed, Seal(b"secret", len(STREAMS))),
        webhooks=webhooks,
        plans=Plans(bus),
        objects=servers.object_store(),
        visitors=Visitors(IDENTITY_KEYS["analytics"]),
    )


def _door(deps: Deps, known: KnownKeys) -> Door:
    async def readiness() -> dict[str, bool]:
        return {"started": True}

    own = create_own(deps, readiness)
    keys = Keys(known, Strangers(STRANGERS, time.monotonic))
    requests = Requests(deps.database, now, Sealing(IDENTITY_KEYS))
    return Door(
        routes=RouteTable(ROUTES),
        keys=keys,
        answer=answers(deps.services, deps.limiter, requests, own),
        own=own,
        sockets=websockets(keys, deps),
        front=Front(Hosts([])),
        problems=PROBLEMS,
    )


def _projections(bus: Bus, database: Database) -> list[Callable[[], Awaitable[None]]]:
    return [
        ProjectionRunner(bus, database, stream=stream, durable=CONSUMERS.group, projections=projections).run
        for stream, projections in projections_by_stream(CONSUMERS).items()
    ]


@pytest.fixture
async def replica(replicas: Replicas) -> AsyncIterator[Replica]:
    async with replicas() as started:
        yield started
