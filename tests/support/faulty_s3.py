"""An object store that fails as one is told: a proxy before the real one."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import Enum

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
    """507: there is no room for what is written."""
    BROKEN = "broken"
    """500, after the request was done."""
    RESET = "reset"
    """The connection ends before an answer."""
    CUT = "cut"
    """The connection ends in the middle of the answer."""


_STATUS = {Fault.BUSY: 503, Fault.FULL: 507, Fault.BROKEN: 500}
Choice = Callable[[web.Request], Fault | None]


def healthy(_request: web.Request) -> Fault | None:
    """Let everything through."""
    return None


def always(fault: Fault, *methods: str) -> Choice:
    """Fail every request, or those with one of `methods`."""
    return lambda request: fault if not methods or request.method in methods else None


def sometimes(share: float, seed: int) -> Choice:
    """Fail a share of the requests, each in some way."""
    chance = random.Random(seed)

    def choose(_request: web.Request) -> Fault | None:
        return chance.choice(list(Fault)) if chance.random() < share else None

    return choose


@dataclass
class FaultyS3:
    """The proxy: `choose` says what becomes of each request from now on."""

    address: ObjectStoreAddress
    choose: Choice = healthy
    slow_seconds: float = 0.0
    requests: int = 0
    failed: int = 0
    _behind: aiohttp.ClientSession | None = field(default=None, repr=False)
    _endpoint: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        fault = self.choose(request)
        self.failed += fault is not None
        body = await request.read()
        await asyncio.sleep(self.slow_seconds)
        if fault is Fault.RESET:
            assert request.transport is not None
            request.transport.abort()
        if fault in (Fault.RESET, Fault.BUSY, Fault.FULL):
            return web.Response(status=_STATUS.get(fault, 503))
        assert self._behind is not None
        # The host is signed: the store must be asked as if it were here.
        url = URL(self._endpoint + request.raw_path, encoded=True)
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


@asynccontextmanager
async def faulty_s3(real: ObjectStoreAddress) -> AsyncIterator[FaultyS3]:
    """Run one before the object store at `real`."""
    app = web.Application(client_max_size=64 * 2**20)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    async with aiohttp.ClientSession(auto_decompress=False) as behind:
        proxy = FaultyS3(real, _behind=behind, _endpoint=real.endpoint)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            proxy.address = replace(real, endpoint=f"http://127.0.0.1:{port}")
            yield proxy
        finally:
            await runner.cleanup()
