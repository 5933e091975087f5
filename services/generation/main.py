"""The generation service: takes requests for speech and knows what became of them."""

from __future__ import annotations

from libs.service import Composition, Runtime, run
from libs.web import IdentityVerifier, create_app
from services.generation.adapters import Finishes, Quota
from services.generation.api import PROBLEMS, router
from services.generation.consumers import CONSUMERS
from services.generation.settings import Settings
from services.generation.usecases import Deps


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        deps = Deps(
            database=runtime.database,
            quota=Quota(runtime.bus, patience_seconds=settings.quota_patience_seconds),
            finishes=Finishes(runtime.bus),
            clock=runtime.clock,
        )
        runtime.database.add_hook(deps.finishes)
        app = create_app(
            "generation",
            router,
            identity=IdentityVerifier("generation", settings.identity_key, runtime.clock),
            problems=PROBLEMS,
            readiness=runtime.readiness,
            deps=deps,
        )
        return Composition(
            app=app, consumers=CONSUMERS, deps=deps, startup=[deps.finishes.start], on_stop=[deps.finishes.close]
        )

    run("generation", settings, compose)


if __name__ == "__main__":
    main()
