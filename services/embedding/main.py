"""The embedding service: knows what voices and texts mean, and finds them by it."""

from __future__ import annotations

from functools import partial

from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from libs.service.niceness import step_back
from libs.web import IdentityVerifier, create_app
from services.embedding.adapters import Embedder, Gathering, MiniLm, SpokenTimes
from services.embedding.api import PROBLEMS, router
from services.embedding.consumers import CONSUMERS
from services.embedding.domain import DIMENSIONS
from services.embedding.settings import Settings
from services.embedding.usecases import Deps, adopt_model


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        objects = ObjectStore(settings.object_store, runtime.clock)
        embedder = await _open_embedder(settings)
        deps = Deps(
            database=runtime.database,
            embedder=embedder,
            clock=runtime.clock,
            exact_chunks=settings.search_exact_chunks,
            search_seconds=settings.search_seconds,
            objects=objects,
            spoken=SpokenTimes(runtime.bus),
        )
        app = create_app(
            "embedding",
            router,
            identity=IdentityVerifier("embedding", settings.identity_key, runtime.clock),
            problems=PROBLEMS,
            readiness=runtime.readiness,
            deps=deps,
        )
        return Composition(
            app=app,
            consumers=CONSUMERS,
            deps=deps,
            startup=[partial(adopt_model, deps)],
            closing=[embedder.close, deps.pdf.close, objects.close],
        )

    step_back(settings.background_niceness)
    run("embedding", settings, compose)


async def _open_embedder(settings: Settings) -> Embedder:
    if settings.embedding_provider == "local":
        return Gathering(await MiniLm.open(settings.model_dir, threads=settings.embedding_threads))
    from services.embedding.adapters.openai import OpenAiEmbeddings

    return await OpenAiEmbeddings.open(
        str(settings.embedding_url),
        settings.embedding_model or "",
        DIMENSIONS,
        key_file=settings.embedding_key_file,
        shorten=settings.embedding_shorten,
    )


if __name__ == "__main__":
    main()
