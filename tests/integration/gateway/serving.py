"""Real HTTP servers inside a test, and a service that answers as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.service.strict_http import StrictHttpProtocol

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, port: int | None = None, **options: Any) -> AsyncIterator[str]:
    """Serve `app` with the options of a service, and `options` of uvicorn; yields its URL."""
    port = port or free_port()
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        **({"http": StrictHttpProtocol} | options),
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield f"http://{HOST}:{port}"
    finally:
        await server.shutdown()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until `condition()` holds; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what it waits for may be in another process
            await asyncio.sleep(0.005)


async def until_still(value: Callable[[], int]) -> None:
    """Wait until `value()` has not changed for a while."""
    last, since = value(), time.monotonic()
    async with asyncio.timeout(10):
        while time.monotonic() - since < 0.3:
            await asyncio.sleep(0.02)
            if value() != last:
                last, since = value(), time.monotonic()


@dataclass
class Seen:
    """A request as a service saw it."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


async def read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the request was cut off")
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def answer(
    send: Send, body: bytes = b"{}", status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    given = [(b"content-length", str(len(body)).encode()), *(headers or [(b"content-type", b"application/json")])]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Service:
    """A service: keeps what it was asked, then answers by `app`, or with what it saw."""

    seen: list[Seen] = field(default_factory=list)
    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        seen = Seen(scope["method"], scope["raw_path"].decode(), scope["query_string"], headers)
        self.seen.append(seen)
        if self.app is not None:
            await self.app(scope, receive, send)
            return
        seen.body = await read_body(receive)
        await answer(send, orjson.dumps({"path": seen.path, "bytes": len(seen.body)}))

    @property
    def last(self) -> Seen:
        return self.seen[-1]
