"""Errors in the form of the API that a route speaks."""

from __future__ import annotations

from collections.abc import Callable

from libs.web import Problem
from libs.web.problems import MEDIA_TYPE
from services.gateway.domain.routes import Dialect

Rendered = tuple[bytes, str]
"""A body and its media type."""


def _antiphon(problem: Problem, request_id: str) -> Rendered:
    return problem.body(request_id), MEDIA_TYPE


_RENDERERS: dict[Dialect, Callable[[Problem, str], Rendered]] = {
    "antiphon": _antiphon,
    "openai": _antiphon,
    "elevenlabs": _antiphon,
}


def render(problem: Problem, dialect: Dialect, request_id: str) -> Rendered:
    """Return `problem` as the clients of `dialect` expect it."""
    return _RENDERERS[dialect](problem, request_id)
