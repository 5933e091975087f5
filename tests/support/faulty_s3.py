"""An object store that fails as one is told: a proxy before the real one."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import cycle

import aiohttp
from aiohttp import web
from yarl import URL

from libs.objectstore import ObjectStoreAddress

_PIECE = 16 * 1024


class Fault(Enum):
    """What becomes of a request."""

    BUSY = "busy"
    """503, as S3 asks to slow down; nothing is done."""
    FULL = "full"
    """There is no room for what is written: 500 as SeaweedFS says it, and 507 as MinIO does, in turn."""
    BROKEN = "broken"
    """500, after the request was done."""
    RESET = "reset"
    """The connection ends before an answer."""
    CUT = "cut"
    """The connection ends in the middle of the answer."""


_BUSY = (503, "SlowDown", "Please reduce your request rate.")
_FULL = cycle(
    (
        # What it says when it has no volume left to write to.
        (500, "InternalError", "We encountered an internal error, please try again."),
        (507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold."),
    )
)
Choice = Callable[[web.Request], Fault | None]


def healthy(_request: web.Request) -> Fault | None:
    """Let everything through."""
    return None


def always(fault: Fault, *methods: str) -> Choice:
    """Fail every request, or those with one of `methods`."""
    return lambda request: fault if not methods or request.method in methods else None


def sometimes(share: float, seed: int, of: Sequence[Fault] = tuple(Fault)) -> Choice:
    """Fail a share of the requests, each in one of some ways."""
    chance = random.Random(seed)

    def choose(_request: web.Request) -> Fault | None:
        return chance.choice(of) if chance.random() < share else None

    return choose


def _error(status: int, code: str, message: str) -> web.Response:
    """An error as S3 tells it."""
    document = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=document, content_type="application/xml")


@dataclass
class FaultyS3:
    """The proxy: `choose` says what becomes of each request from now on; `endpoint` where the server is by then."""

    endpoint: Callable[[], str]
    choose: Choice = healthy
    slow_seconds: float = 0.0
    requests: int = 0
    failed: int = 0
    port: int = 0
    _behind: aiohttp.ClientSession | None = field(default=None, repr=False)

    def before(self, real: ObjectStoreAddress) -> ObjectStoreAddress:
        """Return the address under which the store at `real` is reached through this proxy."""
        return replace(real, endpoint=f"http://127.0.0.1:{self.port}")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        fault = self.choose(request)
        self.failed += fault is not None
        body = await request.read()
        await asyncio.sleep(self.slow_seconds)
        if fault is Fault.RESET:
            return _reset(request)
        if fault in (Fault.BUSY, Fault.FULL):
            return _error(*(_BUSY if fault is Fault.BUSY else next(_FULL)))
        try:
            return await self._ask(request, body, fault)
        except aiohttp.ClientError:
            # As the server itself would refuse.
            return _reset(request)

    async def _ask(self, request: web.Request, body: bytes, fault: Fault | None) -> web.StreamResponse:
        assert self._behind is not None
        # The host is signed: the store must be asked as if it were here.
        url = URL(self.endpoint() + request.raw_path, encoded=True)
        async with self._behind.request(request.method, url, data=io.BytesIO(body), headers=request.headers) as answer:
            if fault is Fault.BROKEN:
                await answer.read()
                return web.Response(status=500)
            return await self._pass_on(request, answer, cut=fault is Fault.CUT)

    async def _pass_on(self, request: web.Request, answer: aiohttp.ClientResponse, *, cut: bool) -> web.StreamResponse:
        content = await answer.read()
        hop = ("transfer-encoding", "connection")
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in hop}
        response = web.StreamResponse(status=answer.status, headers=headers)
        if request.method != "HEAD" and answer.status not in (204, 304):
            response.content_length = len(content)
        await response.prepare(request)
        if cut:
            if request.method != "HEAD":
                await response.write(content[: len(content) // 2])
            assert request.transport is not None
            request.transport.abort()
            return response
        if request.method != "HEAD":
            for start in range(0, len(content), _PIECE):
                await response.write(content[start : start + _PIECE])
        return response


def _reset(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


@asynccontextmanager
async def faulty_s3(endpoint: Callable[[], str]) -> AsyncIterator[FaultyS3]:
    """Run one before the object store that is at `endpoint` whenever a request comes."""
    app = web.Application(client_max_size=64 * 2**20)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    async with aiohttp.ClientSession(auto_decompress=False) as behind:
        proxy = FaultyS3(endpoint, _behind=behind)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            proxy.port = runner.addresses[0][1]
            yield proxy
        finally:
            await runner.cleanup()
