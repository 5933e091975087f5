"""A speech worker: any number of them, on any machine that reaches the broker, the database and the objects."""

from __future__ import annotations

from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from libs.speech.espeak import EspeakEngine
from libs.web import create_app
from services.generation.jobs import CONSUMERS
from services.generation.rendering import WorkerDeps
from services.generation.settings import WorkerSettings


def main() -> None:
    """Run the worker until it is asked to stop."""
    settings = WorkerSettings()

    async def compose(runtime: Runtime) -> Composition:
        objects = ObjectStore(settings.object_store, runtime.clock)
        engine = EspeakEngine(settings.engine_processes)
        deps = WorkerDeps(database=runtime.database, objects=objects, engine=engine, clock=runtime.clock)
        app = create_app("worker", None, identity=None, problems={}, readiness=runtime.readiness)
        return Composition(
            app=app,
            consumers=CONSUMERS,
            deps=deps,
            startup=[engine.start],
            closing=[engine.close, objects.close],
            relays=False,
        )

    run("worker", settings, compose, outbox_of="generation")


if __name__ == "__main__":
    main()
