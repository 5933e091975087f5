"""The embedding service: knows what voices and texts mean, and finds them by it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from libs.database import Database
from libs.niceness import step_back
from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from libs.web import IdentityVerifier, create_app
from services.embedding.adapters import Embedder, Gathering, MiniLm
from services.embedding.adapters.leading import leading
from services.embedding.adapters.spoken import SpokenTimes
from services.embedding.adapters.uploads import Uploads
from services.embedding.api import PROBLEMS, router
from services.embedding.consumers import CONSUMERS
from services.embedding.settings import Settings
from services.embedding.store.indexes import list_indexes
from services.embedding.usecases import Deps, Reembedding, adopt_model


def main() -> None:
    """Run the service until it is asked to stop."""
    settings = Settings()

    async def compose(runtime: Runtime) -> Composition:
        objects = ObjectStore(settings.object_store, runtime.clock)
        embedder = await _open_embedder(settings)
        former = await _open_former(settings, runtime.database, embedder)
        deps = Deps(
            database=runtime.database,
            embedder=embedder,
            clock=runtime.clock,
            exact_chunks=settings.search_exact_chunks,
            search_seconds=settings.search_seconds,
            objects=objects,
            find_upload=Uploads(runtime.bus).find,
            spoken=SpokenTimes(runtime.bus),
            former=former,
        )
        reembedding = Reembedding(
            deps,
            partial(leading, settings.direct_url, settings.database_password),
            timedelta(hours=settings.embedding_keep_former_hours),
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
            background=[reembedding.run],
            closing=[*(one.close for one in (embedder, *former)), deps.pdf.close, objects.close],
        )

    step_back(settings.background_niceness)
    run("embedding", settings, compose)


async def _open_embedder(settings: Settings) -> Embedder:
    if settings.embedding_provider == "local":
        return await _open_local(settings)
    from services.embedding.adapters.openai import OpenAiEmbeddings

    return await OpenAiEmbeddings.open(
        str(settings.embedding_url),
        settings.embedding_model or "",
        settings.embedding_dimensions,
        key_file=settings.embedding_key_file,
        shorten=settings.embedding_shorten,
    )


async def _open_local(settings: Settings) -> Embedder:
    return Gathering(await MiniLm.open(settings.model_dir, threads=settings.embedding_threads))


async def _open_former(settings: Settings, database: Database, configured: Embedder) -> list[Embedder]:
    """Open the model of the active index, if it is another one than the configured and known where it is."""
    async with database.transaction() as session:
        active = next((one for one in await list_indexes(session) if one.is_active), None)
    if active is None or active.model == (configured.model_id, configured.dimensions):
        return []
    if active.model == (MiniLm.model_id, MiniLm.dimensions):
        return [await _open_local(settings)]
    same = settings.embedding_former_url is None
    url = settings.embedding_url if same else settings.embedding_former_url
    if url is None:
        return []
    from services.embedding.adapters.openai import OpenAiEmbeddings

    shorten = settings.embedding_former_shorten
    return [
        await OpenAiEmbeddings.open(
            str(url),
            active.model_id,
            active.dimensions,
            key_file=settings.embedding_former_key_file or (settings.embedding_key_file if same else None),
            shorten=settings.embedding_shorten if shorten is None and same else bool(shorten),
        )
    ]


if __name__ == "__main__":
    main()
