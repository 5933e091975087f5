"""Errors in the form of the API that a route speaks."""

from __future__ import annotations

from collections.abc import Callable

from libs.web import Problem
from libs.web.problems import MEDIA_TYPE
from services.gateway.api.openai.errors import openai_error
from services.gateway.api.told import Told
from services.gateway.domain.routes import Dialect


def _problem(problem: Problem, request_id: str) -> Told:
    return Told(problem.status, problem.body(request_id), MEDIA_TYPE, problem.headers)


_RENDERERS: dict[Dialect, Callable[[Problem, str], Told]] = {
    "antiphon": _problem,
    "openai": lambda problem, _request_id: openai_error(problem),
    "elevenlabs": _problem,
}


def render(problem: Problem, dialect: Dialect, request_id: str) -> Told:
    """Return `problem` as the clients of `dialect` expect it."""
    return _RENDERERS[dialect](problem, request_id)
