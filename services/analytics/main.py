"""The analytics service: meters use and decides what a plan covers."""

from __future__ import annotations

from functools import partial

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ChangeSubscriptionRequest, ReserveRequest
from libs.messaging.rpc import RpcServer
from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from libs.web import IdentityVerifier, create_app
from services.analytics import usecases
from services.analytics.api import PROBLEMS, router
from services.analytics.consumers import CONSUMERS
from services.analytics.domain import Plan, Plans
from services.analytics.settings import Settings
from services.analytics.usecases import Deps
from services.analytics.usecases.product_events import keep_product_events


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
            plans=Plans.changed(settings.limit_changes),
            ledger_months=settings.ledger_months,
            product_event_days=settings.product_event_days,
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
        change = RpcServer(
            runtime.bus,
            "analytics",
            "change_subscription",
            ChangeSubscriptionRequest,
            partial(usecases.change_subscription, deps),
        )
        return Composition(
            app=app,
            consumers=CONSUMERS,
            deps=deps,
            rpc=[reserve, change],
            startup=[partial(usecases.keep_limits, deps)],
            background=[
                partial(usecases.keep_partitions, deps),
                partial(keep_product_events, deps),
                partial(usecases.sweep, deps, settings.sweep_seconds),
                partial(usecases.reconcile, deps, settings.reconcile_seconds),
            ],
            closing=[objects.close],
        )

    run("analytics", settings, compose)


if __name__ == "__main__":
    main()
