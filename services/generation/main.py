"""The generation service: takes requests for speech and knows what became of them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from libs.contracts.antiphon.generation.v1.rpc_pb2 import FindAudioRequest
from libs.messaging.rpc import RpcServer
from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from libs.web import IdentityVerifier, create_app
from libs.web.known import Known, telling
from services.generation.adapters import Finishes, Progress, Quota, SystemVoices
from services.generation.api import PROBLEMS, router
from services.generation.api.quick import QuickHandover
from services.generation.consumers import CONSUMERS
from services.generation.domain import signals
from services.generation.domain.load import Limits
from services.generation.domain.retention import Retention
from services.generation.settings import Settings
from services.generation.usecases import Deps
from services.generation.usecases.admission import Admission
from services.generation.usecases.models import Models
from services.generation.usecases.offering import Offers
from services.generation.usecases.retaining import Retainer
from services.generation.usecases.sweeping import Sweeper
from services.generation.usecases.telling import find_audio


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        limits = Limits(settings.queue_interactive_seconds, settings.queue_job_seconds)
        deps = Deps(
            database=runtime.database,
            objects=ObjectStore(settings.object_store, runtime.clock),
            bus=runtime.bus,
            quota=Quota(runtime.bus, patience_seconds=settings.quota_patience_seconds),
            finishes=Finishes(runtime.bus),
            progress=Progress(runtime.bus),
            offers=Offers(runtime.bus),
            admission=Admission(runtime.database, limits),
            models=Models(runtime.database),
            system_voices=SystemVoices(),
            known_audio=Known(telling(runtime.bus, signals.DELETED)),
            clock=runtime.clock,
        )
        sweeper = Sweeper(
            runtime.database,
            deps.objects,
            every=timedelta(hours=settings.sweep_hours),
            grace=timedelta(hours=settings.sweep_grace_hours),
            clock=runtime.clock,
        )
        kept = {
            "free": settings.retention_free_days,
            "pro": settings.retention_pro_days,
            "enterprise": settings.retention_enterprise_days,
        }
        every = timedelta(hours=settings.retention_hours)
        retainer = Retainer(runtime.database, Retention(kept), every=every, clock=runtime.clock)
        runtime.database.add_hook(deps.finishes)
        identity = IdentityVerifier("generation", settings.identity_key, runtime.clock)
        app = create_app(
            "generation",
            router,
            identity=identity,
            problems=PROBLEMS,
            readiness=runtime.readiness,
            deps=deps,
        )
        heed_deletions = partial(deps.known_audio.listen, runtime.bus, signals.DELETED)
        finds_audio = RpcServer(runtime.bus, "generation", "find_audio", FindAudioRequest, partial(find_audio, deps))
        return Composition(
            app=QuickHandover(app, deps, identity),
            consumers=CONSUMERS,
            deps=deps,
            rpc=[finds_audio],
            startup=[deps.finishes.start, deps.progress.start, deps.offers.start, heed_deletions],
            background=[deps.admission.watch, sweeper.run, retainer.run],
            on_stop=[deps.finishes.close],
            closing=[deps.objects.close],
        )

    run("generation", settings, compose)


if __name__ == "__main__":
    main()
