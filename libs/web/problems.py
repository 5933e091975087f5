"""Errors as `application/problem+json` (RFC 9457), mapped from typed exceptions in one place."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.responses import Response

from libs.database import InvalidCursor, is_database_away
from libs.messaging.policy import Unavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
REQUEST_ID_HEADER = "x-request-id"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a client is told: `code` is stable, `detail` names the field, the limit and the remedy."""

    status: int
    code: str
    title: str
    detail: str = ""
    # Any: members differ from problem to problem.
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> bytes:
        """Return the JSON document."""
        members: dict[str, Any] = {
            "type": f"urn:antiphon:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail or self.title,
            **self.extra,
            "request_id": request_id,
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            members["trace_id"] = f"{context.trace_id:032x}"
        return orjson.dumps(members)


ProblemOf = Callable[[Any], Problem]  # Any: the exception class it is registered for
"""Turns a service's own exception into what the client is told."""


Respond = Callable[[Problem, Request], Response]
"""Tells a client a problem."""


def problem_response(problem: Problem, request_id: str) -> Response:
    """Return the HTTP answer for `problem`."""
    return Response(problem.body(request_id), problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)


def invalid_field(name: str, message: str, **limits: object) -> Problem:
    """Return the 422 for one bad field of a request."""
    entry = {"field": name, "message": message, **limits}
    return Problem(422, "invalid_request", "The request is not valid", f"{name}: {message}", {"errors": [entry]})


def respond(problem: Problem, request: Request) -> Response:
    """Tell a client a problem as `application/problem+json`."""
    return problem_response(problem, request_id_of(request))


def install_problems(app: FastAPI, problems: Mapping[type[Exception], ProblemOf], respond: Respond = respond) -> None:
    """Answer every error of `app` as a problem: the service's own, then those common to all."""

    def handler(of: ProblemOf) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def answer(request: Request, error: Exception) -> Response:
            return respond(of(error), request)

        return answer

    common: dict[type[Exception], ProblemOf] = {
        RequestValidationError: _invalid,
        HTTPException: http_problem,
        InvalidCursor: lambda _error: invalid_field("cursor", "not a cursor of this list; leave it out to start over"),
        Unavailable: lambda _error: UNAVAILABLE,
    }
    for kind, of in {**common, **problems}.items():
        app.add_exception_handler(kind, handler(of))

    async def unexpected(request: Request, error: Exception) -> Response:
        if is_database_away(error):
            logger.warning("database away", extra={"error": type(error).__name__})
            return respond(UNAVAILABLE, request)
        logger.error("unexpected error", exc_info=error)
        return respond(INTERNAL, request)

    app.add_exception_handler(Exception, unexpected)


def request_id_of(request: Request) -> str:
    """Return the id under which the gateway logs this request."""
    return request.headers.get(REQUEST_ID_HEADER, "")


UNAVAILABLE = Problem(
    503,
    "unavailable",
    "Something that this needs is away for a moment",
    "Nothing was done; please repeat the request.",
    headers={"Retry-After": "1"},
)
INTERNAL = Problem(
    500, "internal_error", "An unexpected error", "Please report the request id; repeating may or may not help."
)
_HTTP_CODES = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


def http_problem(error: HTTPException) -> Problem:
    """Return what a client is told about an error of the framework: no such path, no such method."""
    if isinstance(error.__cause__, ValueError | RecursionError):  # raised while the framework read the body
        return invalid_field("body", "cannot be read: send JSON in UTF-8, not nested too deeply, no endless numbers")
    code = _HTTP_CODES.get(error.status_code, "http_error")
    return Problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))


_LIMITS = ("ge", "gt", "le", "lt", "max_length", "min_length", "expected", "pattern")


def _invalid(error: RequestValidationError) -> Problem:
    entries = [_entry(one) for one in error.errors()]
    detail = "; ".join(f"{entry['field']}: {entry['message']}" for entry in entries)
    return Problem(422, "invalid_request", "The request is not valid", detail, {"errors": entries})


def _entry(error: Mapping[str, Any]) -> dict[str, Any]:
    # The value itself is never repeated: it may be a user's text.
    location: Sequence[Any] = error["loc"]
    named = [str(part) for part in location[1:]] or [str(part) for part in location]
    limits = {key: value for key, value in (error.get("ctx") or {}).items() if key in _LIMITS}
    message = str(error["msg"]).removeprefix("Value error, ")
    return {"field": ".".join(named), "message": message, **limits}
