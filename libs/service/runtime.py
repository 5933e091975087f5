"""What every process has: telemetry, database, broker, relay, consumers, HTTP, and a graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

from libs.database import Database, DatabaseClock
from libs.messaging import Consumers, connect
from libs.messaging.projections import ProjectionRunner
from libs.messaging.topology import projection_durable, projections_by_stream
from libs.messaging.upkeep import Upkeep
from libs.messaging.works import WorkRunner
from libs.outbox import OutboxHook, Relay
from libs.service.composition import Composition, Runtime
from libs.service.serving import serving_http
from libs.service.settings import ServiceSettings
from libs.telemetry import start_telemetry

logger = logging.getLogger(__name__)

COLLECT_AFTER = 10_000
"""How many objects more are made than dropped before the garbage collector looks at them."""


def run(
    name: str,
    settings: ServiceSettings,
    compose: Callable[[Runtime], Awaitable[Composition]],
    *,
    outbox_of: str | None = None,
) -> None:
    """Run the process `name` until SIGTERM or SIGINT.

    `outbox_of` names the service whose database this is, where that is not `name`.
    """
    telemetry = start_telemetry(
        name, environment=settings.environment, otlp_endpoint=settings.otlp_endpoint, log_level=settings.log_level
    )
    try:
        import uvloop

        uvloop.run(_serve(name, settings, compose, outbox_of or name))
    finally:
        telemetry.shutdown()
        sys.stdout.flush()


async def _serve(
    name: str, settings: ServiceSettings, compose: Callable[[Runtime], Awaitable[Composition]], owner: str
) -> None:
    stopping = _stop_on_signals()
    bus = await connect(settings.nats, name)
    relay = Relay(
        bus,
        owner,
        settings.direct_url,
        settings.database_password,
        shards=settings.outbox_shards,
        keep_days=settings.outbox_keep_days,
        replicas=settings.nats_replicas,
    )
    database = Database(
        settings.database_url,
        settings.database_password,
        application=name,
        pool_size=settings.database_pool_size,
        pooled=settings.database_behind_pooler,
        hooks=[OutboxHook(relay.wake)],
    )
    clock = DatabaseClock(database)
    runtime = Runtime(name, database, bus, clock, stopping)
    try:
        await clock.look()
        composition = await compose(runtime)
        async with (
            serving_http(runtime, composition, settings) as stop_http,
            _parts(runtime, composition, settings, relay),
        ):
            _spare_the_collector()
            runtime.started.set()
            logger.info("ready", extra={"port": settings.port})
            await stopping.wait()
            logger.info("stopping")
            for action in composition.on_stop:
                action()
            # Requests first: what they wait for is still being done, and what they write is still sent.
            await stop_http()
        for close in composition.closing:
            await close()
    finally:
        await bus.close()
        await database.close()
    logger.info("stopped")


def _spare_the_collector() -> None:
    """Take what was made at start out of the garbage collector's rounds, and have these come less often.

    All of it stays until the end; looking through it again and again takes a tenth of a small request's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


@contextlib.asynccontextmanager
async def _parts(
    runtime: Runtime, composition: Composition, settings: ServiceSettings, relay: Relay
) -> AsyncIterator[None]:
    """Start relay, start-up actions, RPC and consumers; stop them so that nothing is cut off."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_running(runtime, "clock", runtime.clock.run, None))
        if composition.relays:
            await stack.enter_async_context(_running(runtime, "relay", relay.run, relay.stop))
        for action in composition.startup:
            await action()
        for server in composition.rpc:
            await server.start()
            stack.push_async_callback(server.stop)
        if composition.consumers is not None:
            if composition.consumers.projections or composition.consumers.works:
                upkeep = Upkeep(runtime.bus, composition.consumers, replicas=settings.nats_replicas)
                await upkeep.look()
                await stack.enter_async_context(_running(runtime, "upkeep", upkeep.run, None))
            for projections in _projection_runners(runtime, composition.consumers):
                await stack.enter_async_context(_running(runtime, "projections", projections.run, projections.stop))
            if composition.consumers.works:
                works = WorkRunner(runtime.bus, runtime.database, composition.consumers, composition.deps)
                await works.start()
                stack.push_async_callback(_stop_works, works, runtime)
        for background in composition.background:
            await stack.enter_async_context(_running(runtime, "background", background, None))
        yield


async def _stop_works(works: WorkRunner, runtime: Runtime) -> None:
    await works.stop(runtime.time_to_drain())


def _projection_runners(runtime: Runtime, consumers: Consumers) -> list[ProjectionRunner]:
    return [
        ProjectionRunner(
            runtime.bus,
            runtime.database,
            stream=stream,
            durable=projection_durable(consumers.group),
            projections=projections,
        )
        for stream, projections in projections_by_stream(consumers).items()
    ]


@contextlib.asynccontextmanager
async def _running(
    runtime: Runtime, what: str, action: Callable[[], Awaitable[None]], stop: Callable[[], None] | None
) -> AsyncIterator[None]:
    """Run `action` beside the block; should it end by itself, the process stops and says why."""

    async def watched() -> None:
        try:
            await action()
        except Exception:
            logger.exception("a part of the process failed", extra={"part": what})
            runtime.stopping.set()
            raise

    task = asyncio.create_task(watched(), name=what)
    try:
        yield
    finally:
        if stop is None:
            task.cancel()
        else:
            stop()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(runtime.time_to_drain()):
                await task
