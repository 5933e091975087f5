"""The analytics service: meters use and decides what a plan covers."""

from __future__ import annotations

from functools import partial

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveRequest
from libs.messaging.rpc import RpcServer
from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from libs.web import IdentityVerifier, create_app
from services.analytics import usecases
from services.analytics.api import PROBLEMS, router
from services.analytics.consumers import CONSUMERS
from services.analytics.domain import Plan
from services.analytics.settings import Settings
from services.analytics.usecases import Deps


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        objects = ObjectStore(settings.object_store, runtime.clock)
        deps = Deps(
            database=runtime.database,
            objects=objects,
            default_plan=Plan(settings.default_plan),
            clock=runtime.clock,
        )
        app = create_app(
            "analytics",
            router,
            identity=IdentityVerifier("analytics", settings.identity_key, runtime.clock),
            problems=PROBLEMS,
            readiness=runtime.readiness,
            deps=deps,
        )
        reserve = RpcServer(runtime.bus, "analytics", "reserve", ReserveRequest, partial(usecases.reserve, deps))
        return Composition(
            app=app,
            consumers=CONSUMERS,
            deps=deps,
            rpc=[reserve],
            background=[partial(usecases.keep_partitions, deps)],
            closing=[objects.close],
        )

    run("analytics", settings, compose)


if __name__ == "__main__":
    main()
