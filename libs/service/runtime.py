"""What every process has: telemetry, database, broker, relay, consumers, HTTP, and a graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from libs.database import Database, DatabaseClock
from libs.messaging import Bus, Consumers, connect
from libs.messaging.projections import ProjectionRunner
from libs.messaging.rpc import RpcServer
from libs.messaging.topology import projection_durable, projections_by_stream
from libs.messaging.upkeep import Upkeep
from libs.messaging.works import WorkRunner
from libs.outbox import OutboxHook, Relay
from libs.service.settings import ServiceSettings
from libs.service.strict_http import StrictHttpProtocol
from libs.telemetry import start_telemetry

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 6.0
"""How long running requests and jobs may take once the process is asked to stop; all of it takes less than 10 s."""
COLLECT_AFTER = 10_000
"""How many objects more are made than dropped before the garbage collector looks at them."""
LAST_SECONDS = 0.3
"""What every part gets even when others have used up the time."""


@dataclass(slots=True)
class Runtime:
    """The process's shared parts, handed to the service's composition root."""

    name: str
    database: Database
    bus: Bus
    clock: DatabaseClock
    stopping: asyncio.Event
    started: asyncio.Event = field(default_factory=asyncio.Event)
    _drained_by: float | None = None

    def time_to_drain(self) -> float:
        """Return the seconds that what still runs may take; they begin to pass with the first question."""
        now = asyncio.get_running_loop().time()
        if self._drained_by is None:
            self._drained_by = now + DRAIN_SECONDS
        return max(LAST_SECONDS, self._drained_by - now)

    async def readiness(self) -> dict[str, bool]:
        """Say for each part whether it is there right now."""
        return {
            "started": self.started.is_set() and not self.stopping.is_set(),
            "database": await self._database_answers(),
            "nats": self.bus.is_connected,
        }

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(2):
                await self.database.ping()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from answering, the answer is no
            logger.warning("database does not answer", extra={"error": type(error).__name__})
            return False
        return True


@dataclass(slots=True)
class Composition:
    """What a service is made of.

    `app` is its HTTP application; `consumers` what it answers, with `deps` for its work handlers;
    `relays` whether it sends the outbox of its database (False where another process does);
    `startup` runs before the service is ready; `on_stop` as soon as it is asked to stop, while requests
    and events are still being answered; `closing` when all else has stopped.
    """

    app: ASGIApp
    consumers: Consumers | None = None
    deps: object = None
    relays: bool = True
    rpc: Sequence[RpcServer] = ()
    startup: Sequence[Callable[[], Awaitable[None]]] = ()
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    on_stop: Sequence[Callable[[], None]] = ()
    closing: Sequence[Callable[[], Awaitable[None]]] = ()
    http_options: Mapping[str, Any] = field(default_factory=dict)  # Any: uvicorn's options are of many types


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
        async with _http(runtime, composition, settings) as stop_http, _parts(runtime, composition, settings, relay):
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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process stops its parts in an order of its own."""
        yield


@contextlib.asynccontextmanager
async def _http(
    runtime: Runtime, composition: Composition, settings: ServiceSettings
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Serve HTTP; yields what stops that: no new connection, and time for the requests that run."""
    server = _Server(
        uvicorn.Config(
            composition.app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            **{"http": StrictHttpProtocol, **composition.http_options},
        )
    )
    task = asyncio.create_task(server.serve())

    async def stop() -> None:
        server.config.timeout_graceful_shutdown = math.ceil(runtime.time_to_drain())
        server.should_exit = True
        await task

    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError(f"the HTTP server on port {settings.port} ended at once; is the port taken?")
            await asyncio.sleep(0.005)
        yield stop
    finally:
        await stop()


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
