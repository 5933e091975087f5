"""HTTP as a part of a process: served beside the rest, and stopped with time for what runs."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import uvicorn

from libs.service.composition import Composition, Runtime
from libs.service.settings import ServiceSettings
from libs.service.strict_http import StrictHttpProtocol


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process stops its parts in an order of its own."""
        yield


@contextlib.asynccontextmanager
async def serving_http(
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
