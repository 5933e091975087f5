"""The gateway: authenticates, limits, and asks the service that owns the resource."""

from __future__ import annotations

import time
from functools import partial

from libs.service import Composition, Runtime, run
from libs.web import create_app
from services.gateway import usecases
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.services import Services
from services.gateway.api.door import Door
from services.gateway.api.own import router
from services.gateway.api.problems import PROBLEMS
from services.gateway.api.proxy import Proxy
from services.gateway.domain.routes import ROUTES, RouteTable
from services.gateway.settings import Settings
from services.gateway.usecases import Deps


def main() -> None:
    """Run the gateway until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        deps = Deps(database=runtime.database, clock=runtime.clock)
        services = Services(settings.service_urls, settings.identity_keys, runtime.clock)
        known_keys = KnownKeys(partial(usecases.authenticate, deps), time.monotonic)
        door = Door(
            routes=RouteTable(ROUTES),
            proxy=Proxy(known_keys, services),
            own=create_app("gateway", router, identity=None, problems=PROBLEMS, readiness=runtime.readiness, deps=deps),
            problems=PROBLEMS,
        )
        bootstrap = settings.bootstrap_key
        return Composition(
            app=door,
            deps=deps,
            startup=[partial(usecases.ensure_first_organization, deps, bootstrap)] if bootstrap else [],
            closing=[services.close],
            # The peer's address is the peer's: nobody is believed who claims to ask for somebody else.
            http_options={"proxy_headers": False},
        )

    run("gateway", settings, compose)


if __name__ == "__main__":
    main()
