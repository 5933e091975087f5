"""The gateway: authenticates, limits, and asks the service that owns the resource."""

from __future__ import annotations

import time
from functools import partial

from libs.service import Composition, Runtime, run
from services.gateway.adapters.event_feed import STREAMS, EventFeed
from services.gateway.adapters.key_changes import KeyChanges, KeySignals
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.sealing import Sealing
from services.gateway.adapters.services import Services
from services.gateway.adapters.strangers import Strangers
from services.gateway.adapters.webhook_sender import WebhookSender
from services.gateway.adapters.webhook_wakes import WebhookWakes
from services.gateway.api.connections import Connections
from services.gateway.api.door import Door
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
from services.gateway.settings import Settings
from services.gateway.usecases import organizations
from services.gateway.usecases.delivering import Deliverer
from services.gateway.usecases.deps import Deps
from services.gateway.usecases.idempotency import DoneWithItsEffect, Requests
from services.gateway.usecases.limiter import Limiter
from services.gateway.usecases.live import Subscriptions
from services.gateway.usecases.voices import VoiceNames
from services.gateway.usecases.webhooks import Webhooks


def main() -> None:
    """Run the gateway until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        database, clock = runtime.database, runtime.clock
        services = Services(settings.service_urls, settings.identity_keys, clock)
        connections = Connections()
        limiter = Limiter(database, _plan_limits(settings))
        feed = EventFeed(runtime.bus, clock)
        subscriptions = Subscriptions(feed, Seal(settings.place_secret, len(STREAMS)))
        webhook_targets = Allowed.of(settings.webhook_allowed.split(","))
        deps = Deps(
            database=database,
            clock=clock,
            services=services,
            limiter=limiter,
            voice_names=VoiceNames(time.monotonic),
            subscriptions=subscriptions,
            webhooks=Webhooks(database, clock, webhook_targets),
        )
        sender = WebhookSender(webhook_targets)
        deliverer = Deliverer(database, clock, sender)
        database.add_hook(WebhookWakes(runtime.bus))
        known = KnownKeys(partial(organizations.authenticate, database, clock), time.monotonic)
        changes = KeyChanges(database, known, time.monotonic)
        changes.on_change(subscriptions.end_changed)
        database.add_hook(KeySignals(runtime.bus))
        keys = Keys(known, Strangers(Rate(settings.stranger_requests), time.monotonic))
        database.add_hook(DoneWithItsEffect())
        requests = Requests(database, clock, Sealing(settings.identity_keys))
        own = create_own(deps, runtime.readiness)
        bootstrap = settings.bootstrap_key
        return Composition(
            app=Door(
                routes=RouteTable(ROUTES),
                keys=keys,
                answer=answers(services, limiter, requests, own),
                own=own,
                sockets=websockets(keys, deps),
                front=Front(
                    Hosts(settings.allowed_hosts),
                    origins=settings.cors_origins,
                    encrypted=settings.tls_cert_file is not None,
                ),
                problems=PROBLEMS,
            ),
            consumers=CONSUMERS,
            deps=deps,
            startup=[
                *([partial(organizations.ensure_first_organization, database, clock, bootstrap)] if bootstrap else []),
                partial(changes.listen, runtime.bus),
                partial(deliverer.listen, runtime.bus),
            ],
            background=[
                limiter.run,
                requests.renew,
                requests.expire,
                connections.run,
                changes.run,
                feed.run,
                subscriptions.run,
                deliverer.run,
            ],
            on_stop=[subscriptions.stop, deliverer.stop],
            closing=[deliverer.close, sender.close, services.close, limiter.close],
            http_options=_http_options(settings, connections),
        )

    run("gateway", settings, compose)


def _http_options(settings: Settings, connections: Connections) -> dict[str, object]:
    # The library would hold 16 MiB of a message before anybody sees whether it says something.
    options: dict[str, object] = {"http": connections.protocol, "ws_max_size": JSON_BYTES}
    # Without a proxy of ours in front, the peer's address is the peer's: nobody may claim to ask for somebody else.
    options["proxy_headers"] = bool(settings.trusted_proxies)
    options["forwarded_allow_ips"] = list(settings.trusted_proxies)
    if settings.tls_cert_file is not None:
        options |= {"ssl_certfile": settings.tls_cert_file, "ssl_keyfile": settings.tls_key_file}
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
