"""The gateway: authenticates, limits, and asks the service that owns the resource."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial

from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from services.gateway.adapters.event_feed import STREAMS, EventFeed
from services.gateway.adapters.key_changes import KeyChanges, KeySignals
from services.gateway.adapters.keyring import Keyring
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.objects import Objects
from services.gateway.adapters.plans import Plans
from services.gateway.adapters.sealing import Sealing
from services.gateway.adapters.services import Services
from services.gateway.adapters.strangers import Strangers
from services.gateway.adapters.webhook_sender import WebhookSender
from services.gateway.adapters.webhook_wakes import WebhookWakes
from services.gateway.api.connections import Connections
from services.gateway.api.door import Door
from services.gateway.api.encryption import tls_options
from services.gateway.api.front import Front
from services.gateway.api.handlers import answers, websockets
from services.gateway.api.keys import Keys
from services.gateway.api.own import create_own
from services.gateway.api.problems import PROBLEMS
from services.gateway.consumers import CONSUMERS
from services.gateway.domain.addresses import Allowed
from services.gateway.domain.hosts import Hosts
from services.gateway.domain.limits import PlanLimits, Rate
from services.gateway.domain.organizations import Plan
from services.gateway.domain.places import Seal
from services.gateway.domain.route_table import RouteTable
from services.gateway.domain.routes import JSON_BYTES, ROUTES
from services.gateway.domain.visitors import Visitors
from services.gateway.settings import Settings
from services.gateway.usecases import organizations
from services.gateway.usecases.delivering import Deliverer
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.exporting import expire_exports
from services.gateway.usecases.idempotency import DoneWithItsEffect, Requests
from services.gateway.usecases.limiter import Limiter
from services.gateway.usecases.live import Subscriptions
from services.gateway.usecases.sealing_secrets import seal_secrets
from services.gateway.usecases.voices import VoiceNames
from services.gateway.usecases.webhooks import Webhooks


def main() -> None:
    """Run the gateway until it is asked to stop."""
    settings = Settings()
    run("gateway", settings, partial(_compose, settings))


async def _compose(settings: Settings, runtime: Runtime) -> Composition:
    database, clock, bus = runtime.database, runtime.clock, runtime.bus
    objects = ObjectStore(settings.object_store, clock)
    services = Services(settings.service_urls, settings.identity_keys, clock, objects=Objects(objects))
    connections = Connections()
    limiter = Limiter(database, _plan_limits(settings))
    feed = EventFeed(bus, clock)
    subscriptions = Subscriptions(feed, Seal(settings.place_secret, len(STREAMS)))
    targets = Allowed.of(settings.webhook_allowed.split(","))
    sender = WebhookSender(targets)
    keyring = Keyring(settings.webhook_keys)
    deliverer = Deliverer(database, clock, sender, keyring)
    known = KnownKeys(partial(organizations.authenticate, database, clock), time.monotonic)
    changes = KeyChanges(database, known, time.monotonic)
    changes.on_change(subscriptions.end_changed)
    requests = Requests(database, clock, Sealing(settings.identity_keys))
    for hook in (WebhookWakes(bus), KeySignals(bus), DoneWithItsEffect()):
        database.add_hook(hook)
    deps = Deps(
        database=database,
        clock=clock,
        services=services,
        limiter=limiter,
        voice_names=VoiceNames(time.monotonic),
        subscriptions=subscriptions,
        webhooks=Webhooks(database, clock, targets, keyring),
        plans=Plans(bus),
        objects=objects,
        visitors=Visitors(settings.identity_keys["analytics"]),
    )
    return Composition(
        app=_door(settings, runtime, deps, known, requests),
        consumers=CONSUMERS,
        deps=deps,
        startup=[*_beginning(settings, runtime), partial(changes.listen, bus), partial(deliverer.listen, bus)],
        background=[
            limiter.run,
            requests.renew,
            requests.expire,
            connections.run,
            changes.run,
            feed.run,
            subscriptions.run,
            deliverer.run,
            partial(expire_exports, deps),
            partial(seal_secrets, database, keyring),
        ],
        on_stop=[subscriptions.stop, deliverer.stop],
        closing=[deliverer.close, sender.close, services.close, limiter.close, objects.close],
        http_options=_http_options(settings, connections),
    )


def _door(settings: Settings, runtime: Runtime, deps: Deps, known: KnownKeys, requests: Requests) -> Door:
    keys = Keys(known, Strangers(Rate(settings.stranger_requests), time.monotonic))
    own = create_own(deps, runtime.readiness)
    hosts, encrypted = Hosts(settings.allowed_hosts), settings.tls_cert_file is not None
    return Door(
        routes=RouteTable(ROUTES),
        keys=keys,
        answer=answers(deps.services, deps.limiter, requests, own),
        own=own,
        sockets=websockets(keys, deps),
        front=Front(hosts, origins=settings.cors_origins, encrypted=encrypted),
        problems=PROBLEMS,
    )


def _beginning(settings: Settings, runtime: Runtime) -> list[Callable[[], Awaitable[None]]]:
    """Return what makes the first organisation, if there is to be one."""
    key = settings.bootstrap_key
    if not key:
        return []
    return [partial(organizations.ensure_first_organization, runtime.database, runtime.clock, key)]


def _http_options(settings: Settings, connections: Connections) -> dict[str, object]:
    # The library would hold 16 MiB of a message before anybody sees whether it says something.
    options: dict[str, object] = {"http": connections.protocol, "ws_max_size": JSON_BYTES}
    # Without a proxy of ours in front, the peer's address is the peer's: nobody may claim to ask for somebody else.
    options["proxy_headers"] = bool(settings.trusted_proxies)
    options["forwarded_allow_ips"] = list(settings.trusted_proxies)
    if settings.tls_cert_file is not None and settings.tls_key_file is not None:
        options |= tls_options(settings.tls_cert_file, settings.tls_key_file)
    return options


def _plan_limits(settings: Settings) -> dict[Plan, PlanLimits]:
    return {
        "free": PlanLimits(
            Rate(settings.free_key_requests),
            Rate(settings.free_organization_requests),
            settings.free_concurrent_requests,
        ),
        "pro": PlanLimits(
            Rate(settings.pro_key_requests),
            Rate(settings.pro_organization_requests),
            settings.pro_concurrent_requests,
        ),
        "enterprise": PlanLimits(
            Rate(settings.enterprise_key_requests),
            Rate(settings.enterprise_organization_requests),
            settings.enterprise_concurrent_requests,
        ),
    }


if __name__ == "__main__":
    main()
