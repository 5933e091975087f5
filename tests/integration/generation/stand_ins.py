"""Who stands in: the real engine, watched, and somebody who answers for the quota."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from google.protobuf.message import Message

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.messaging import Bus
from libs.messaging.rpc import RpcServer
from libs.speech.engine import Model, Rendered, RenderJob, SpeechEngine

Event = TypeVar("Event", bound=Message)
PROCESSES = 2


@dataclass
class Watched:
    """The real engine, of which is noted what it was asked to speak; `on_render` comes first and may refuse.

    It is started by the first who needs it: much is tested in which nothing is spoken.
    """

    engine: SpeechEngine
    spoken: list[str] = field(default_factory=list)
    on_render: Callable[[RenderJob], Awaitable[None]] | None = None
    is_ready: bool = True
    version: str = "as tested"
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def honours(self) -> frozenset[str]:
        return self.engine.honours

    @property
    def model(self) -> Model:
        return replace(self.engine.model, version=self.version)

    async def start(self) -> None:
        async with self._starting:
            if not self.engine.is_ready:
                await self.engine.start()

    async def close(self) -> None:
        await self.engine.close()

    async def render(self, job: RenderJob) -> Rendered:
        self.spoken.append(job.text)
        if self.on_render is not None:
            await self.on_render(job)
        if not self.engine.is_ready:
            await self.start()
        return await self.engine.render(job)


@dataclass
class Analytics:
    """Whoever answers for the quota, as long as it is `answering`."""

    bus: Bus
    granted: bool = True
    concurrency: int = 0
    limit: int = 10_000
    asked: list[str] = field(default_factory=list)
    _server: RpcServer | None = None

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        self._server = RpcServer(self.bus, "analytics", "reserve", ReserveRequest, self._reserve)
        await self._server.start()
        await self.bus.client.flush()
        try:
            yield
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Answer nothing any more."""
        if self._server is not None:
            await self._server.stop()
            await self.bus.client.flush()
            self._server = None

    async def _reserve(self, request: ReserveRequest) -> ReserveReply:
        self.asked.append(request.reservation_id)
        return ReserveReply(
            granted=self.granted, limit=self.limit, remaining=3, resets_at=1_800_000_000, concurrency=self.concurrency
        )
