"""Serving an application over HTTP in a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.support.polling import eventually


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve `app` on a free port; yields its base URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))

    async def started() -> bool:
        return server.started

    # `serve` would take the signals, which the runner of the tests keeps.
    task = asyncio.create_task(server._serve())
    await eventually(started, what="the server's start")
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
