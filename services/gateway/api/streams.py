"""The client's side of a proxied request: its body as it comes, and whether anybody still waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType

from starlette.types import Receive

from services.gateway.domain.failures import BodyTooLarge, ClientGone

LOOK_AFTER_SECONDS = 0.02


class RequestBody:
    """A request's body, passed on piece by piece and counted: never more of it is held than one piece."""

    def __init__(self, receive: Receive, limit_bytes: int) -> None:
        self.started = False
        self.awaits_client = False
        self.failure: Exception | None = None
        self.finished = asyncio.Event()
        self._receive = receive
        self._limit_bytes = limit_bytes

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the pieces; raises BodyTooLarge and ClientGone, which it keeps as `failure`."""
        self.started = True
        size = 0
        more = True
        while more:
            self.awaits_client = True
            try:
                message = await self._receive()
            except BodyTooLarge as failure:  # counted by whoever gave us `receive`
                raise self._failed(failure) from None
            self.awaits_client = False
            if message["type"] == "http.disconnect":
                raise self._failed(ClientGone())
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._limit_bytes:
                raise self._failed(BodyTooLarge(self._limit_bytes))
            more = message.get("more_body", False)
            if chunk:
                yield chunk
        self.finished.set()

    def _failed(self, failure: Exception) -> Exception:
        self.failure = failure
        return failure


class Connected:
    """Runs a block for as long as the client is there; raises ClientGone in it when the client goes away.

    The request's body, if there is one, must be read within the block: until then the connection is its business.
    """

    def __init__(self, receive: Receive, body: RequestBody | None) -> None:
        self._receive = receive
        self._body = body
        self._gone = False

    async def __aenter__(self) -> None:
        block = asyncio.current_task()
        assert block is not None
        self._block = block
        # Most answers are there before it is worth anybody's while to look whether the client is.
        self._watcher: asyncio.Task[None] | None = None
        self._begin = asyncio.get_running_loop().call_later(LOOK_AFTER_SECONDS, self._begin_watching)

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._begin.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and self._block.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGone

    def _begin_watching(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        if self._body is not None:
            await self._body.finished.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._block.cancel()
