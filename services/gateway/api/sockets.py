"""WebSockets: who may open one, and what they are told who may not."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from libs.database import is_database_away
from libs.ids import new_id
from libs.web import Problem, ProblemOf
from libs.web.problems import INTERNAL, UNAVAILABLE
from services.gateway.api.dialects import render
from services.gateway.api.keys import Keys, address_of, require_scope
from services.gateway.domain.access import Credential
from services.gateway.domain.credentials import bearer_token
from services.gateway.domain.headers import RequestHeaders
from services.gateway.domain.route_table import MethodNotAllowed, RouteTable
from services.gateway.domain.routes import Route, dialect_of

logger = logging.getLogger(__name__)

_EXTENSION = "websocket.http.response"


@dataclass(frozen=True, slots=True)
class Opening:
    """A WebSocket that wants to be opened; `path` is as it came.

    `credential` is what the key in its headers says, None without one: then a key of the first message counts. `admit`
    says what the one or the other may do at the moment: a WebSocket may outlive its key. It raises InvalidKey,
    ScopeMissing and StrangerLimitReached.
    """

    route: Route
    path: str
    request_id: str
    credential: Credential | None
    admit: Callable[[str | None], Awaitable[Credential]]
    problem_of: Callable[[Exception], Problem]


SocketHandler = Callable[[Opening, WebSocket], Awaitable[None]]
"""Accepts a WebSocket, talks, and closes it."""


class Sockets:
    """Finds out who wants to open a WebSocket, and leaves the talking to its handler."""

    def __init__(
        self,
        *,
        routes: RouteTable,
        keys: Keys,
        handler: SocketHandler,
        problems: Mapping[type[Exception], ProblemOf],
    ) -> None:
        self._routes = routes
        self._keys = keys
        self._handler = handler
        self._problems = problems

    async def __call__(self, scope: Scope, headers: RequestHeaders, receive: Receive, send: Send) -> None:
        """Serve a WebSocket until it is closed, and leave a line about it in the log."""
        started = time.perf_counter()
        request_id = headers.request_id or str(new_id())
        template: str | None = None
        outcome = ""
        try:
            route = self._find(scope)
            template = route.template
            opening = await self._opening(route, scope, headers, request_id)
            await self._handler(opening, WebSocket(scope, receive, send))
        except WebSocketDisconnect:
            outcome = "client_gone"
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the client is told, and the log
            problem = self._problem_of(error)
            outcome = problem.code
            await _refuse(problem, template, scope, request_id, send)
        finally:
            seconds = time.perf_counter() - started
            logger.info(
                "websocket",
                extra={
                    "route": template,
                    "outcome": outcome or None,
                    "duration_ms": round(seconds * 1000, 2),
                    "request_id": request_id,
                },
            )

    def _find(self, scope: Scope) -> Route:
        try:
            route = self._routes.find("GET", scope["raw_path"].decode("latin-1"))
        except MethodNotAllowed:
            route = None
        if route is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return route

    async def _opening(self, route: Route, scope: Scope, headers: RequestHeaders, request_id: str) -> Opening:
        address = address_of(scope)
        credential = None
        if headers.authorization is not None or headers.xi_api_key is not None:
            credential = await self._keys.credential_of(headers, address)
            _require(route, credential)
        path = scope["raw_path"].decode("ascii")
        sent = bearer_token(headers.authorization) or headers.xi_api_key
        return Opening(
            route, path, request_id, credential, partial(self._admit, route, address, sent), self._problem_of
        )

    async def _admit(self, route: Route, address: str, sent: str | None, key: str | None) -> Credential:
        credential = await self._keys.credential_of_key(sent or key, address)
        _require(route, credential)
        return credential

    def _problem_of(self, error: Exception) -> Problem:
        of = self._problems.get(type(error))
        if of is not None:
            return of(error)
        if is_database_away(error):
            logger.warning("database away", extra={"error": type(error).__name__})
            return UNAVAILABLE
        logger.error("unexpected error", exc_info=error)
        return INTERNAL


def _require(route: Route, credential: Credential) -> None:
    assert route.scope is not None, "every WebSocket needs a key"
    require_scope(credential, route.scope)


async def _refuse(problem: Problem, template: str | None, scope: Scope, request_id: str, send: Send) -> None:
    """Answer as to an HTTP request where the server can; it answers 403 otherwise."""
    if _EXTENSION not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    dialect = dialect_of(scope["path"]) if template is None else "elevenlabs"
    told = render(problem, dialect, request_id)
    headers = {"content-type": told.media_type, "x-request-id": request_id, **told.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": f"{_EXTENSION}.start", "status": told.status, "headers": raw})
    await send({"type": f"{_EXTENSION}.body", "body": told.body})
