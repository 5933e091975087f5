"""Answers of the gateway's own routes that flow from a service to the client and are held by nobody on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gateway.api.streams import Connected
from services.gateway.domain.failures import ClientGone
from services.gateway.domain.headers import answer_headers

Headers = Callable[[aiohttp.ClientResponse], Mapping[str, str]]
Transform = Callable[[aiohttp.ClientResponse], AsyncIterator[bytes]]


class Flow(Response):
    """Asks a service and sends its answer on while it comes, as it is or as `transform` makes it.

    What the service is asked for ends when the client goes away. A refusal of the service is the answer's, in the
    dialect of the route; an answer that breaks off is broken off here.
    """

    def __init__(
        self,
        opened: AbstractAsyncContextManager[aiohttp.ClientResponse],
        *,
        headers: Headers | None = None,
        transform: Transform | None = None,
        then: Callable[[aiohttp.ClientResponse], Awaitable[object]] | None = None,
    ) -> None:
        """`headers` come before the service's; without `transform` these go on, too.

        `then` is called with the service's answer when all of it is sent, before the client knows that it was all, or
        when the client has gone away.
        """
        super().__init__()
        self._opened = opened
        self._headers_of = headers
        self._transform = transform
        self._then = then

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            async with Connected(receive, None), self._opened as answer:
                try:
                    await self._send(answer, send)
                finally:
                    if self._then is not None:
                        await self._then(answer)
                await send({"type": "http.response.body", "body": b""})
        except ClientGone:
            # Nobody is there who could be told anything; the framework would log it as an error of its own.
            return

    async def _send(self, answer: aiohttp.ClientResponse, send: Send) -> None:
        added = self._headers_of(answer) if self._headers_of is not None else {}
        own = {name.lower().encode(): value.encode() for name, value in added.items()}
        passed = answer_headers(answer.status, answer.raw_headers) if self._transform is None else []
        dropped = {*own, b"content-length"} if self._then is not None else {*own}
        headers = [*own.items(), *(header for header in passed if header[0] not in dropped)]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        pieces = answer.content.iter_any() if self._transform is None else self._transform(answer)
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
