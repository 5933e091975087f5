"""Passes a request on to the service that owns the resource, and its answer back, without keeping either."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
from starlette.types import Receive, Send

from libs.apikeys import is_well_formed
from libs.web import HANDOVER_HEADER, Caller
from services.gateway.adapters.known_keys import KnownKeys
from services.gateway.adapters.services import Question, Services
from services.gateway.api.streams import Connected, RequestBody
from services.gateway.domain.credentials import bearer_token, digest_of
from services.gateway.domain.failures import BodyTooLarge, InvalidHandover, InvalidKey
from services.gateway.domain.headers import RequestHeaders, answer_headers
from services.gateway.domain.routes import SERVICES, Route

_VISIBLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Proxied:
    """A request that a service answers. `path` and `query` are as they came; `request_id` goes along."""

    route: Route
    path: str
    query: bytes
    headers: RequestHeaders
    request_id: str


class Proxy:
    """Answers requests by asking services."""

    def __init__(self, keys: KnownKeys, services: Services) -> None:
        self._keys = keys
        self._services = services

    async def __call__(self, request: Proxied, receive: Receive, send: Send) -> None:
        """Answer `request`; raises what is in PROBLEMS before the answer has begun, AnswerCutOff after, ClientGone."""
        caller = await self._authenticate(request.headers.authorization)
        body = _body(request, receive)
        async with Connected(receive, body):
            async with self._services.ask(_question(request, caller, body)) as answer:
                handed_over = answer.headers.get(HANDOVER_HEADER)
                if handed_over is None:
                    await _pass_on(answer, send)
                    return
            async with self._services.ask(_handed_over(request, caller, handed_over)) as answer:
                await _pass_on(answer, send)

    async def _authenticate(self, authorization: str | None) -> Caller:
        token = bearer_token(authorization)
        # What cannot be a key is not worth a query.
        if token is None or not is_well_formed(token):
            raise InvalidKey
        caller = await self._keys.find(digest_of(token))
        if caller is None:
            raise InvalidKey
        return caller


def _body(request: Proxied, receive: Receive) -> RequestBody | None:
    headers, limit = request.headers, request.route.body_bytes
    if headers.content_length is not None and headers.content_length > limit:
        raise BodyTooLarge(limit)
    return RequestBody(receive, limit) if headers.has_body else None


def _question(request: Proxied, caller: Caller, body: RequestBody | None) -> Question:
    route, headers = request.route, request.headers
    sent = [*headers.passed, ("x-request-id", request.request_id)]
    if body is not None and headers.content_length is not None:
        sent.append(("content-length", str(headers.content_length)))
    target = f"{request.path}?{_escaped(request.query)}" if request.query else request.path
    return Question(
        service=route.service,
        method=route.method,
        target=target,
        template=route.template,
        headers=sent,
        caller=caller,
        answer_seconds=route.answer_seconds,
        body=body,
    )


def _handed_over(request: Proxied, caller: Caller, instruction: str) -> Question:
    service, _, target = instruction.partition(" ")
    if service not in SERVICES or not target.startswith("/internal/"):
        raise InvalidHandover(f"{request.route.service} handed {request.route.template} over to {instruction!r}")
    return Question(
        service=service,
        method=request.route.method,
        target=target,
        template=request.route.template,
        headers=[*request.headers.conditions(), ("x-request-id", request.request_id)],
        caller=caller,
        answer_seconds=request.route.answer_seconds,
    )


def _escaped(query: bytes) -> str:
    """Return the query as it came, with what a request line cannot hold escaped."""
    return quote(query, safe=_VISIBLE_ASCII)


async def _pass_on(answer: aiohttp.ClientResponse, send: Send) -> None:
    headers = answer_headers(answer.status, answer.raw_headers)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    # Both sides stop reading while the other does not keep up, so what is under way stays below 200 KB.
    async for chunk in answer.content.iter_any():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
