"""A speech worker: any number of them, on any machine that reaches the broker, the database and the objects."""

from __future__ import annotations

import sys
from functools import partial

from libs.ids import new_id
from libs.objectstore import ObjectStore
from libs.service import Composition, Runtime, run
from libs.speech.adapters.settings import configured_engines
from libs.speech.composed import ComposedEngine
from libs.speech.espeak import EspeakEngine
from libs.web import create_app
from services.generation.jobs import CONSUMERS
from services.generation.rendering.bench import Bench
from services.generation.rendering.deps import WorkerDeps
from services.generation.rendering.engines import keep_started
from services.generation.settings import WorkerSettings

SWITCH_SECONDS = 0.000_5


def main() -> None:
    """Run the worker until it is asked to stop."""
    settings = WorkerSettings()
    # Threads that join audio would make the loop wait for 5 ms at every step that it does meanwhile.
    sys.setswitchinterval(SWITCH_SECONDS)

    async def compose(runtime: Runtime) -> Composition:
        objects = ObjectStore(settings.object_store, runtime.clock)
        espeak = EspeakEngine(settings.engine_processes)
        others = {engine.name: ComposedEngine(engine, espeak) for engine in configured_engines(settings)}
        deps = WorkerDeps(
            worker_id=new_id(),
            database=runtime.database,
            objects=objects,
            bus=runtime.bus,
            engines={espeak.name: espeak, **others},
            clock=runtime.clock,
        )
        bench = Bench(
            deps,
            slots=settings.slots,
            processes=settings.engine_processes,
            time_to_drain=runtime.time_to_drain,
        )
        app = create_app("worker", None, identity=None, problems={}, readiness=runtime.readiness)
        return Composition(
            app=app,
            consumers=CONSUMERS,
            deps=deps,
            startup=[espeak.start],
            background=[bench.run, *(partial(keep_started, engine) for engine in others.values())],
            on_stop=[bench.stop],
            closing=[*(engine.close for engine in others.values()), espeak.close, objects.close],
            relays=False,
        )

    run("worker", settings, compose, outbox_of="generation")


if __name__ == "__main__":
    main()
