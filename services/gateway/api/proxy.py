"""Passes a request on to the service that owns the resource, and its answer back, without keeping either."""

from __future__ import annotations

from urllib.parse import quote

import aiohttp
from starlette.types import Receive, Send

from services.gateway.adapters.questions import Fetched, Question
from services.gateway.adapters.services import Services
from services.gateway.api.asked import Asked, caller_of
from services.gateway.api.streams import Connected, RequestBody
from services.gateway.domain.failures import BodyTooLarge
from services.gateway.domain.headers import answer_headers

_VISIBLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


class Proxy:
    """Answers requests by asking services."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, asked: Asked, receive: Receive, send: Send) -> None:
        """Answer `asked`, whose route names a service and needs a key."""
        body = _body(asked, receive)
        if body is None and asked.route.method == "GET":
            async with Connected(receive, None):
                fetched = await self._services.get(_question(asked, None))
                try:
                    await _pass_fetched_on(fetched, send)
                finally:
                    fetched.close()
            return
        async with Connected(receive, body), self._services.ask(_question(asked, body)) as answer:
            await _pass_on(answer, send)


def _body(asked: Asked, receive: Receive) -> RequestBody | None:
    headers, limit = asked.headers, asked.route.body_bytes
    if headers.content_length is not None and headers.content_length > limit:
        raise BodyTooLarge(limit)
    return RequestBody(receive, limit) if headers.has_body else None


def _question(asked: Asked, body: RequestBody | None) -> Question:
    route, headers = asked.route, asked.headers
    assert route.service is not None
    assert asked.credential is not None
    sent = [*headers.passed, ("x-request-id", asked.request_id)]
    if asked.once is not None:
        sent += asked.once.headers
    if body is not None and headers.content_length is not None:
        sent.append(("content-length", str(headers.content_length)))
    return Question(
        service=route.service,
        method=route.method,
        target=f"{asked.path}?{_escaped(asked.query)}" if asked.query else asked.path,
        template=route.template,
        headers=sent,
        caller=caller_of(asked.credential),
        answer_seconds=route.answer_seconds,
        body=body,
    )


def _escaped(query: bytes) -> str:
    """Return the query as it came, with what a request line cannot hold escaped."""
    return quote(query, safe=_VISIBLE_ASCII)


async def _pass_fetched_on(answer: Fetched, send: Send) -> None:
    headers = answer_headers(answer.status, answer.headers)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    whole = answer.rest()
    if whole is None:
        # Both sides stop reading while the other does not keep up, so what is under way stays below 1 MB.
        async for chunk in answer.chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": whole or b""})


async def _pass_on(answer: aiohttp.ClientResponse, send: Send) -> None:
    headers = answer_headers(answer.status, answer.raw_headers)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    # Both sides stop reading while the other does not keep up, so what is under way stays below 200 KB.
    async for chunk in answer.content.iter_any():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
