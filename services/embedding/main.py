"""The embedding service: knows what everything means."""

from __future__ import annotations

from functools import partial

from libs.service import Composition, Runtime, run
from libs.web import IdentityVerifier, create_app
from services.embedding import usecases
from services.embedding.adapters import Embedder, MiniLm
from services.embedding.adapters.gathering import Gathering
from services.embedding.api import PROBLEMS, router
from services.embedding.consumers import CONSUMERS
from services.embedding.domain import DIMENSIONS
from services.embedding.settings import Settings
from services.embedding.usecases import Deps


async def _open_model(settings: Settings) -> Embedder:
    if settings.embedding_provider == "local":
        return await MiniLm.open(settings.model_dir, threads=settings.embedding_threads)
    # Imported here: only who uses such a provider pays for its client.
    from services.embedding.adapters.openai import OpenAiEmbeddings

    return await OpenAiEmbeddings.open(
        str(settings.embedding_url),
        settings.embedding_model or "",
        DIMENSIONS,
        key_file=settings.embedding_key_file,
        shorten=settings.embedding_shorten,
    )


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        embedder = Gathering(await _open_model(settings))
        deps = Deps(database=runtime.database, embedder=embedder, exact_chunks=settings.search_exact_chunks)
        app = create_app(
            "embedding",
            router,
            identity=IdentityVerifier("embedding", settings.identity_key),
            problems=PROBLEMS,
            readiness=runtime.readiness,
            deps=deps,
        )
        return Composition(
            app=app,
            consumers=CONSUMERS,
            deps=deps,
            relay_for="embedding",
            startup=[partial(usecases.adopt_index, deps)],
            closing=[embedder.close],
        )

    run("embedding", settings, compose)


if __name__ == "__main__":
    main()
