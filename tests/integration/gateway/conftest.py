"""A gateway in front of two services that the test plays, on the real database."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import text

from libs.apikeys import new_api_key
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Bus, connect
from libs.objectstore import ObjectStore, ObjectStoreAddress
from services.gateway.adapters.event_feed import STREAMS, EventFeed
from services.gateway.adapters.keyring import Keyring
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.objects import Objects
from services.gateway.adapters.plans import Plans
from services.gateway.adapters.sealing import Sealing
from services.gateway.adapters.services import Services
from services.gateway.adapters.strangers import Strangers
from services.gateway.api.connections import Connections
from services.gateway.api.door import Door
from services.gateway.api.front import Front
from services.gateway.api.handlers import answers, websockets
from services.gateway.api.keys import Keys
from services.gateway.api.own import create_own
from services.gateway.api.problems import PROBLEMS
from services.gateway.domain.access import Role
from services.gateway.domain.addresses import Allowed
from services.gateway.domain.credentials import digest_of, shown_prefix
from services.gateway.domain.hosts import Hosts
from services.gateway.domain.keys import ApiKey
from services.gateway.domain.limits import PlanLimits, Rate
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID, Organization, Plan
from services.gateway.domain.places import Seal
from services.gateway.domain.route_table import RouteTable
from services.gateway.domain.routes import ROUTES, UPLOAD_SECONDS, Route
from services.gateway.domain.visitors import Visitors
from services.gateway.store import organizations as store
from services.gateway.usecases import organizations as usecases
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.idempotency import Requests
from services.gateway.usecases.limiter import Limiter
from services.gateway.usecases.live import Subscriptions
from services.gateway.usecases.voices import VoiceNames
from services.gateway.usecases.webhooks import Webhooks
from tests.integration.gateway.access import Person, new_person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.repeating import Gateways, Maker
from tests.integration.gateway.serving import HOST, Service, free_port, serving
from tests.support.outbox import UNSENT
from tests.support.servers import Servers

IDENTITY_KEYS = {name: name.encode() * 8 for name in ("voice", "generation", "storage", "embedding", "analytics")}
ANSWER_SECONDS, PATIENCE_SECONDS = 2.0, 1.5
BODY_SECONDS, LOOK_SECONDS, PAUSE_SECONDS = 1.0, 0.1, 2.0
"""Everything is as it is, only more impatient."""


PLANS: dict[Plan, PlanLimits] = {
    "free": PlanLimits(Rate(1000), Rate(2000), 100),
    "pro": PlanLimits(Rate(10), Rate(15), 3),
    "enterprise": PlanLimits(Rate(1_000_000), Rate(1_000_000), 10_000),
}
PAGE = "https://app.example.org"
STRANGERS = Rate(200)
KEYRING = Keyring([b"webhook secrets".ljust(32)])
NO_STORE = ObjectStoreAddress(f"http://{HOST}:9", "us-east-1", "none", "key", "secret")
"""Where nobody answers: few routes need one."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Tenant:
    """An organisation with one key."""

    org_id: UUID
    key_id: UUID
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="session")
def schema(migrated: Callable[[str], None]) -> None:
    migrated("gateway")


@pytest.fixture
async def database(servers: Servers, schema: None) -> AsyncIterator[Database]:
    opened = servers.database("gateway")
    yield opened
    await opened.close()


async def new_tenant(database: Database, plan: Plan = "free") -> Tenant:
    tenant = Tenant(org_id=new_id(), key_id=new_id(), key=new_api_key())
    now = datetime.now(UTC)
    async with database.transaction(tenant.org_id) as session:
        await store.insert_organization(session, Organization(tenant.org_id, "Tenant", plan, now))
        key = ApiKey(tenant.key_id, tenant.org_id, "Key", shown_prefix(tenant.key), digest_of(tenant.key), now)
        await store.insert_key(session, key)
    return tenant


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await new_tenant(database)


@pytest.fixture
async def owner(database: Database, tenant: Tenant) -> Person:
    return await new_person(database, tenant.org_id, Role.OWNER)


@pytest.fixture
async def operator(database: Database) -> AsyncIterator[Person]:
    """An owner of the installation's first organisation."""
    first = Organization(FIRST_ORGANIZATION_ID, "Default", "enterprise", datetime.now(UTC))
    async with database.transaction(first.id) as session:
        await store.insert_organization(session, first)
    yield await new_person(database, first.id, Role.OWNER)
    async with database.transaction(first.id) as session:
        await session.execute(text("delete from organizations"))


@pytest.fixture
def voice() -> Service:
    return Service()


@pytest.fixture
def storage() -> Service:
    return Service()


@pytest.fixture
def voice_port() -> int:
    return free_port()


@pytest.fixture
async def voice_running(voice: Service, voice_port: int) -> AsyncIterator[None]:
    async with serving(voice, voice_port):
        yield


@contextlib.asynccontextmanager
async def running_gateway(
    database: Database,
    bus: Bus,
    urls: Mapping[str, str],
    *,
    routes: Iterable[Route] = ROUTES,
    requests: Requests | None = None,
    objects: ObjectStore | None = None,
) -> AsyncIterator[str]:
    """Run a gateway in front of services; nothing runs where `urls` names none. Yields its URL."""
    everywhere = dict.fromkeys(IDENTITY_KEYS, f"http://{HOST}:{free_port()}") | dict(urls)
    read = Objects(objects, pause_seconds=PAUSE_SECONDS) if objects is not None else None
    services = Services(everywhere, IDENTITY_KEYS, _now, objects=read, patience_seconds=PATIENCE_SECONDS)
    limiter = Limiter(database, PLANS)
    deps = Deps(
        database=database,
        clock=_now,
        services=services,
        limiter=limiter,
        voice_names=VoiceNames(time.monotonic),
        subscriptions=Subscriptions(EventFeed(bus, _now), Seal(b"secret", len(STREAMS))),
        webhooks=Webhooks(database, _now, Allowed(), KEYRING),
        plans=Plans(bus),
        objects=objects or ObjectStore(NO_STORE),
        visitors=Visitors(IDENTITY_KEYS["analytics"]),
    )
    # Those that are given long for what they upload keep it: how fast 20 MB pass is this machine's affair.
    impatient = [
        replace(route, answer_seconds=ANSWER_SECONDS) if route.answer_seconds < UPLOAD_SECONDS else route
        for route in routes
    ]

    async def readiness() -> dict[str, bool]:
        return {"started": True}

    own = create_own(deps, readiness)
    requests = requests or Requests(database, _now, Sealing(IDENTITY_KEYS))
    keys = Keys(
        KnownKeys(partial(usecases.authenticate, database, _now), time.monotonic),
        Strangers(STRANGERS, time.monotonic),
    )
    door = Door(
        routes=RouteTable(impatient),
        keys=keys,
        answer=answers(services, limiter, requests, own),
        own=own,
        sockets=websockets(keys, deps),
        front=Front(Hosts(["x"]), origins=[PAGE]),
        problems=PROBLEMS,
    )
    upkeep = asyncio.create_task(limiter.run())
    connections = Connections(head_seconds=1.0, body_seconds=BODY_SECONDS, read_seconds=1.5, look_seconds=LOOK_SECONDS)
    watch = asyncio.create_task(connections.run())
    async with serving(door, http=connections.protocol) as url:
        yield url
    for task in (watch, upkeep):
        task.cancel()
    await asyncio.wait((watch, upkeep))
    await services.close()
    await limiter.close()


@pytest.fixture
async def bus(servers: Servers) -> AsyncIterator[Bus]:
    opened = await connect(servers.nats("gateway"), "gateway")
    yield opened
    await opened.close()


@pytest.fixture
async def gateway(database: Database, bus: Bus, storage: Service, voice_port: int) -> AsyncIterator[str]:
    """The gateway's URL; the voice service need not run, and nothing runs where the others should be."""
    async with serving(storage) as storage_url:
        urls = {"voice": f"http://{HOST}:{voice_port}", "storage": storage_url}
        async with running_gateway(database, bus, urls) as url:
            yield url


@pytest.fixture
async def client(gateway: str, tenant: Tenant) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with the tenant's key."""
    async with aiohttp.ClientSession(gateway, headers=tenant.headers, auto_decompress=False) as session:
        yield session


@pytest.fixture
async def api(gateway: str) -> AsyncIterator[Api]:
    """Asks with whatever key it is given."""
    async with aiohttp.ClientSession(gateway) as session:
        yield Api(session)


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
async def gateways(database: Database, bus: Bus, tenant: Tenant, maker: Maker) -> AsyncIterator[Gateways]:
    async with AsyncExitStack() as stack:
        urls = {"voice": await stack.enter_async_context(serving(maker))}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=tenant.headers))
        both = Gateways([], [], session)
        for _ in range(2):
            requests = Requests(database, both.now, Sealing(IDENTITY_KEYS))
            both.requests.append(requests)
            both.urls.append(await stack.enter_async_context(running_gateway(database, bus, urls, requests=requests)))
        yield both


@pytest.fixture
async def facade(database: Database, bus: Bus, tenant: Tenant, maker: Maker) -> AsyncIterator[Gateways]:
    """A gateway whose voices are another vendor's routes, so that requests come without keys."""
    theirs = [replace(route, dialect="openai") if route.template == "/v1/voices" else route for route in ROUTES]
    async with AsyncExitStack() as stack:
        urls = {"voice": await stack.enter_async_context(serving(maker))}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=tenant.headers))
        gateways = Gateways([], [], session)
        for _ in range(2):
            requests = Requests(database, gateways.now, Sealing(IDENTITY_KEYS))
            gateways.requests.append(requests)
            gateway = running_gateway(database, bus, urls, routes=theirs, requests=requests)
            gateways.urls.append(await stack.enter_async_context(gateway))
        yield gateways


@pytest.fixture
async def keeping(servers: Servers, schema: None) -> AsyncIterator[Database]:
    """The database with an outbox that keeps."""
    opened = servers.database("gateway", hooks=[UNSENT])
    yield opened
    await opened.close()
