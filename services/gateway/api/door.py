"""The gateway's ASGI application: every request comes in here.

It is no framework's, because a proxied request takes half a framework's time otherwise; what the gateway answers
itself is left to a FastAPI application.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.database import is_database_away
from libs.telemetry import trace_context
from libs.web import Problem, ProblemOf
from libs.web.problems import INTERNAL, UNAVAILABLE
from services.gateway.api.asked import Asked, Handler
from services.gateway.api.dialects import dialect_headers
from services.gateway.api.exchange import Exchange
from services.gateway.api.front import Front, MalformedRequest
from services.gateway.api.keys import Keys, address_of, require_scope
from services.gateway.api.sockets import Sockets
from services.gateway.domain.access import Credential
from services.gateway.domain.failures import AnswerCutOff, BodyTooLarge, ClientGone
from services.gateway.domain.headers import RequestHeaders, anonymous, read_request_headers
from services.gateway.domain.hosts import MisdirectedRequest
from services.gateway.domain.route_table import MethodNotAllowed, RouteTable
from services.gateway.domain.routes import Route, dialect_of

logger = logging.getLogger(__name__)

HEALTH = ("/healthz", "/readyz")
UNLISTED = frozenset((b"/", b"/healthz", b"/readyz", b"/docs/docs.css", b"/docs/docs.js"))
"""What is answered without a route in the table: it needs no key, and is not for programs."""
_REQUEST_ID = b"x-request-id"
_tracer = trace.get_tracer("antiphon.gateway")


class Door:
    """Finds out what a request asks for, has it answered, and leaves a line about it in the log."""

    def __init__(
        self,
        *,
        routes: RouteTable,
        keys: Keys,
        answer: Handler,
        own: ASGIApp,
        front: Front,
        sockets: Sockets,
        problems: Mapping[type[Exception], ProblemOf],
    ) -> None:
        """`answer` gets what `routes` have, once it is allowed; `own` all the rest, with 404 if need be."""
        self._routes = routes
        self._keys = keys
        self._answer = answer
        self._own = own
        self._front = front
        self._sockets = sockets
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = read_request_headers(scope["headers"])
        if scope["type"] != "http":
            await self._answer_socket(scope, headers, receive, send)
            return
        exchange = Exchange(scope["method"], headers, receive, send, self._front.headers)
        exchange.dialect = dialect_of(scope["path"])
        if self._front.answers_other_sites:
            exchange.added.extend(self._front.cross_origin(scope))
        try:
            self._front.check(scope, headers)
            route = self._routes.find(scope["method"], scope["raw_path"].decode("latin-1"))
        except MethodNotAllowed as error:
            preflight = self._front.preflight(scope, error.allowed)
            if preflight is None:
                await exchange.refuse(self._problem_of(error))
            else:
                await exchange.answer_empty(preflight)
            exchange.log()
            return
        except (MalformedRequest, MisdirectedRequest) as error:
            await exchange.refuse_body(self._problem_of(error))
            exchange.log()
            return
        if route is None and scope["raw_path"] in UNLISTED:
            await self._answer_here(scope, exchange)
        elif route is None:
            # Not left to the application's router: that reads escapes, and so finds what the table does not know.
            await exchange.refuse(self._problem_of(HTTPException(HTTPStatus.NOT_FOUND)))
            exchange.log()
        else:
            await self._answer_route(route, scope, exchange)

    async def _answer_socket(self, scope: Scope, headers: RequestHeaders, receive: Receive, send: Send) -> None:
        try:
            self._front.check(scope, headers)
        except (MalformedRequest, MisdirectedRequest):
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._sockets(scope, headers, receive, send)

    async def _answer_here(self, scope: Scope, exchange: Exchange) -> None:
        kept = [header for header in scope["headers"] if header[0] != _REQUEST_ID]
        scope["headers"] = [*kept, (_REQUEST_ID, exchange.request_id.encode())]
        try:
            await self._own(scope, exchange.receive, exchange.send)
        finally:
            if scope["path"] not in HEALTH:
                exchange.log(getattr(scope.get("route"), "path", None))

    async def _answer_route(self, route: Route, scope: Scope, exchange: Exchange) -> None:
        path = scope["raw_path"].decode("ascii")
        exchange.dialect = route.dialect
        if route.is_anonymous:
            # The application that answers takes what it finds in them for the trace that it is in.
            scope["headers"] = anonymous(scope["headers"])
            exchange.forget_client()
        exchange.added += dialect_headers(route.dialect, exchange.request_id)
        with _ServerSpan(route, path, scope["scheme"], exchange) as span:
            try:
                credential = await self._admit(route, scope, exchange)
                asked = Asked(
                    route,
                    path,
                    scope["query_string"],
                    exchange.headers,
                    exchange.request_id,
                    credential,
                    scope,
                    exchange.added,
                )
                await self._answer(asked, exchange.receive, exchange.send)
            except ClientGone:
                exchange.outcome = "client_gone"
            except AnswerCutOff:
                # Ending here, without an end of the answer, closes the connection: the client sees that it is cut off.
                exchange.outcome = "answer_cut_off"
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the client is told, and the log
                await self._fail(error, exchange)
            finally:
                exchange.log(route.template)
                _finish(span, exchange)

    async def _admit(self, route: Route, scope: Scope, exchange: Exchange) -> Credential | None:
        """Return what the request's key says where one is needed.

        Raises InvalidKey, ScopeMissing, StrangerLimitReached.
        """
        address = address_of(scope)
        if route.scope is None:
            self._keys.count_stranger(address)
            return None
        credential = await self._keys.credential_of(exchange.headers, address)
        require_scope(credential, route.scope)
        return credential

    async def _fail(self, error: Exception, exchange: Exchange) -> None:
        problem = self._problem_of(error)
        if exchange.status:
            exchange.outcome = "answer_cut_off"
        elif isinstance(error, BodyTooLarge):
            await exchange.refuse_body(problem)
        else:
            await exchange.refuse(problem)

    def _problem_of(self, error: Exception) -> Problem:
        of = self._problems.get(type(error))
        if of is not None:
            return of(error)
        if is_database_away(error):
            logger.warning("database away", extra={"error": type(error).__name__})
            return UNAVAILABLE
        logger.error("unexpected error", exc_info=error)
        return INTERNAL


class _ServerSpan:
    """The span of a proxied request, current within the block. Half the cost of the SDK's own context manager."""

    __slots__ = ("_span", "_token")

    def __init__(self, route: Route, path: str, scheme: str, exchange: Exchange) -> None:
        context = trace_context(exchange.headers.trace)
        self._span = _tracer.start_span(
            f"{route.method} {route.template}",
            context=context,
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": route.method,
                "http.route": route.template,
                # Where no key is needed, an id in the path is what opens the door.
                "url.path": path if route.scope is not None else route.template,
                "url.scheme": scheme,
                "antiphon.request_id": exchange.request_id,
            },
        )
        self._token = attach(trace.set_span_in_context(self._span, context))

    def __enter__(self) -> Span:
        return self._span

    def __exit__(self, *_error: object) -> None:
        detach(self._token)
        self._span.end()


def _finish(span: Span, exchange: Exchange) -> None:
    span.set_attribute("http.response.status_code", exchange.status)
    if exchange.outcome:
        span.set_attribute("error.type", exchange.outcome)
    if exchange.status >= HTTPStatus.INTERNAL_SERVER_ERROR or exchange.outcome == "answer_cut_off":
        span.set_status(StatusCode.ERROR)
