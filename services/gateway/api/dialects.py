"""Errors in the form of the API that a route speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from libs.web import Problem
from libs.web.problems import MEDIA_TYPE
from services.gateway.api.elevenlabs.errors import elevenlabs_error, elevenlabs_error_once
from services.gateway.api.openai.errors import openai_error
from services.gateway.api.told import Told
from services.gateway.domain.limits import CONCURRENCY, PlanLimits, Standing
from services.gateway.domain.routes import Dialect


def _problem(problem: Problem, request_id: str) -> Told:
    return Told(problem.status, problem.body(request_id), MEDIA_TYPE, problem.headers)


_RENDERERS: dict[Dialect, Callable[[Problem, str], Told]] = {
    "antiphon": _problem,
    "openai": lambda problem, _request_id: openai_error(problem),
    "elevenlabs": elevenlabs_error,
    "elevenlabs_once": elevenlabs_error_once,
}


def render(problem: Problem, dialect: Dialect, request_id: str) -> Told:
    """Return `problem` as the clients of `dialect` expect it."""
    return _RENDERERS[dialect](problem, request_id)


def dialect_headers(dialect: Dialect, request_id: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that every answer in `dialect` has."""
    return [(b"request-id", request_id.encode())] if dialect.startswith("elevenlabs") else []


def concurrency_headers(
    dialect: Dialect, limits: PlanLimits, standings: Iterable[Standing]
) -> list[tuple[bytes, bytes]]:
    """Return the headers in which `dialect` says how many requests are in flight, and how many may be."""
    if not dialect.startswith("elevenlabs"):
        return []
    free = next((one.remaining for one in standings if one.policy == CONCURRENCY), limits.concurrent)
    return [
        (b"current-concurrent-requests", b"%d" % (limits.concurrent - free)),
        (b"maximum-concurrent-requests", b"%d" % limits.concurrent),
    ]
