"""The services behind the gateway, over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from yarl import URL

from libs.telemetry import current_trace_headers
from libs.web import HANDOVER_HEADER, OBJECT_HEADER, TAKES_OBJECTS_HEADER, ObjectPart
from libs.web.identity import HEADER as IDENTITY_HEADER
from services.gateway.adapters.circuit import circuits
from services.gateway.adapters.identities import Identities
from services.gateway.adapters.objects import NotSent, Objects
from services.gateway.adapters.plain_http import Answer, ConnectionBroken, NoConnection, Pool
from services.gateway.adapters.questions import Fetched, Question, handed_over, record_failure
from services.gateway.domain.failures import (
    AnswerCutOff,
    BodyTooSlow,
    ServiceLeftAlone,
    ServiceTooSlow,
    ServiceUnavailable,
)

PATIENCE_SECONDS = 5.0
"""How long a service may be away without a client noticing: one that restarts is back within 2 s."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25
CONNECT_SECONDS = 2.0
IDLE_SECONDS = 30.0
"""Less than the services keep an idle connection (75 s), so that a request never meets one that is being closed."""
CONNECTIONS_PER_SERVICE = 1000
SAFE_METHODS = frozenset(("GET", "HEAD"))

T = TypeVar("T")
_tracer = trace.get_tracer("antiphon.gateway")
# Whatever a client did not send, the service does not get either.
_NOTHING_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class _Interrupted(Exception):
    """The connection broke before an answer began; the service may have done what it was asked or not."""


class Services:
    """Asks services in the name of callers."""

    def __init__(
        self,
        urls: Mapping[str, str],
        identity_keys: Mapping[str, bytes],
        clock: Callable[[], datetime],
        *,
        objects: Objects | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Connects lazily, but must be made inside the event loop; `close` when done.

        From `objects` comes the content of what services name there; without it they send it themselves.
        Identities are dated by `clock`, by which the services judge them.
        A service that cannot be reached is asked again for `patience_seconds`.
        """
        self._patience_seconds = patience_seconds
        self._objects = objects
        self._urls = dict(urls)
        self._circuits = circuits(urls, time.monotonic)
        self._identities = Identities(identity_keys, clock, time.monotonic)
        self._pools = {
            service: Pool(url, connect_seconds=CONNECT_SECONDS, idle_seconds=IDLE_SECONDS)
            for service, url in self._urls.items()
        }
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=CONNECTIONS_PER_SERVICE,
                keepalive_timeout=IDLE_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_NOTHING_ADDED,
            middlewares=(_never_twice,),
        )

    async def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.close()
        if self._objects is not None:
            self._objects.close()
        await self._session.close()

    async def get(self, question: Question) -> Fetched:
        """Ask as `ask` does, for a GET without a body, at a fraction of the cost; the answer must be closed.

        Raises ServiceUnavailable, ServiceLeftAlone, ServiceTooSlow and InvalidHandover.
        """
        fetched = await self._fetch(question)
        instruction = fetched.header(HANDOVER_HEADER.encode())
        if instruction is not None:
            fetched.close()
            question = handed_over(question, instruction)
            fetched = await self._fetch(question)
        named = fetched.header(OBJECT_HEADER.encode())
        if named is None or self._objects is None:
            return fetched
        fetched.close()
        try:
            return await self._with_content(question, fetched, ObjectPart.read(named), self._objects)
        except NotSent:
            # The service says why, in the words of its problems, or sends it after all.
            return await self._fetch(question, takes_objects=False)

    async def _with_content(self, question: Question, head: Fetched, part: ObjectPart, objects: Objects) -> Fetched:
        span = _tracer.start_span("GET object", kind=SpanKind.CLIENT) if _is_traced() else None
        try:
            answer = await objects.get(part)
        except BaseException as error:
            if span is not None:
                record_failure(span, error)
                span.end()
            if isinstance(error, TimeoutError):
                # As the service says it of an object store that hangs: come again.
                raise ServiceUnavailable(question.service, nothing_done=True) from error
            raise
        return Fetched(answer, question.service, span, head)

    async def _fetch(self, question: Question, *, takes_objects: bool = True) -> Fetched:
        # A trace that is not sampled needs no span of ours: the service sees the door's, and drops its own, too.
        span = _start_span(question) if _is_traced() else None
        headers = current_trace_headers(trace.set_span_in_context(span) if span is not None else None)

        async def send() -> Answer:
            identity = self._identities.of(question.caller, question.service)
            sent = [*question.headers, (IDENTITY_HEADER, identity), *headers.items()]
            if takes_objects and self._objects is not None:
                sent.append((TAKES_OBJECTS_HEADER, "1"))
            try:
                return await self._pools[question.service].get(question.target, sent, question.answer_seconds)
            except ConnectionBroken as error:
                raise ServiceUnavailable(question.service, nothing_done=False) from error
            except NoConnection as error:
                raise ServiceUnavailable(question.service, nothing_done=True) from error

        try:
            answer = await self._answer(question, self._ask_patiently(question, send))
        except BaseException as error:
            if span is not None:
                record_failure(span, error)
                span.end()
            raise
        return Fetched(answer, question.service, span)

    @asynccontextmanager
    async def ask(self, question: Question) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask a service, and the one that it hands over to; yield the answer, of which only the headers are there yet.

        Raises what `_ask` raises, and InvalidHandover.
        """
        async with self._ask(question) as answer:
            instruction = answer.headers.get(HANDOVER_HEADER)
            if instruction is None:
                yield answer
                return
        async with self._ask(handed_over(question, instruction)) as answer:
            yield answer

    @asynccontextmanager
    async def _ask(self, question: Question) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask one service and yield its answer.

        Raises ServiceUnavailable, ServiceLeftAlone, ServiceTooSlow, BodyTooSlow, AnswerCutOff, and the body's failure.
        """
        span = _start_span(question)
        try:
            headers = current_trace_headers(trace.set_span_in_context(span))
            asking = self._ask_in_time(question, partial(self._send, question, headers))
            async with await self._answer(question, asking) as response:
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= HTTPStatus.BAD_REQUEST:
                    span.set_status(StatusCode.ERROR)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            record_failure(span, error)
            raise AnswerCutOff(question.service) from error
        except BaseException as error:
            record_failure(span, error)
            raise
        finally:
            span.end()

    async def _answer(self, question: Question, asking: Coroutine[None, None, T]) -> T:
        circuit = self._circuits[question.service]
        if not circuit.lets_through():
            asking.close()
            raise ServiceLeftAlone(question.service)
        try:
            answer = await asking
        except ServiceUnavailable:
            circuit.failed()
            raise
        except TimeoutError as error:
            if question.body is not None and question.body.awaits_client:
                raise BodyTooSlow from error
            circuit.failed()
            raise ServiceTooSlow(question.service) from error
        circuit.answered()
        return answer

    async def _ask_in_time(self, question: Question, send: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(question.answer_seconds):
            return await self._ask_patiently(question, send)

    async def _ask_patiently(self, question: Question, send: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer, for as long as asking again does no harm."""
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + self._patience_seconds
        pause = FIRST_PAUSE
        while True:
            try:
                return await send()
            except ServiceUnavailable as failure:
                if not _may_repeat(question, failure) or loop.time() + pause > patient_until:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _send(self, question: Question, trace_headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        body = question.body
        identity = self._identities.of(question.caller, question.service)
        try:
            return await self._session.request(
                question.method,
                URL(self._urls[question.service] + question.target, encoded=True),
                headers=[*question.headers, (IDENTITY_HEADER, identity), *trace_headers.items()],
                data=body.chunks() if body is not None else None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=CONNECT_SECONDS, sock_read=question.answer_seconds),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise ServiceUnavailable(question.service, nothing_done=True) from error
        except (aiohttp.ClientError, _Interrupted) as error:
            if isinstance(error, TimeoutError):
                raise
            if body is not None and body.failure is not None:
                raise body.failure from error
            raise ServiceUnavailable(question.service, nothing_done=False) from error


def _may_repeat(question: Question, failure: ServiceUnavailable) -> bool:
    if question.body is not None and question.body.started:
        return False
    return failure.nothing_done or question.method in SAFE_METHODS


async def _never_twice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the client library from repeating by itself, as it does with DELETE: the second one finds nothing."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Interrupted from error


def _is_traced() -> bool:
    return trace.get_current_span().is_recording()


def _start_span(question: Question) -> Span:
    return _tracer.start_span(
        f"{question.method} {question.template}",
        kind=SpanKind.CLIENT,
        attributes={
            "http.request.method": question.method,
            "url.template": question.template,
            "server.address": question.service,
        },
    )
