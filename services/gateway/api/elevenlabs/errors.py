"""Errors as ElevenLabs' clients read them: `{"detail": {"status", "message"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from libs.web import Problem
from services.gateway.api.told import Told

_STATUSES = {
    "unauthenticated": "invalid_api_key",
    "scope_missing": "missing_permissions",
    "unknown_voice": "voice_not_found",
    "generation_not_found": "history_item_not_found",
    "dictionary_not_found": "pronunciation_dictionary_not_found",
    "concurrency_limited": "too_many_concurrent_requests",
    "rate_limited": "rate_limit_exceeded",
}
_FIELDS = {
    "format": "output_format",
    "language": "language_code",
    "dictionaries": "pronunciation_dictionary_locators",
    "limit": "page_size",
}
"""Our names of what their clients send under another one."""

_PASSING = frozenset(("generation_unfinished", "request_still_running"))
"""Conflicts that are over in a moment: their clients, which repeat after 409, 429 and 5xx, may ask again."""
_MISSING = frozenset(("unknown_voice",))
"""What is for us a field of the request, and for their clients a part of the path."""


def elevenlabs_error(problem: Problem, request_id: str) -> Told:
    """Return `problem` in their form; a conflict that no repetition ends is a 400."""
    status = problem.status
    if status == HTTPStatus.CONFLICT and problem.code not in _PASSING:
        status = HTTPStatus.BAD_REQUEST
    code = _code(problem)
    if code in _MISSING:
        status = HTTPStatus.NOT_FOUND
    return _told(problem, status, request_id)


def elevenlabs_error_once(problem: Problem, request_id: str) -> Told:
    """The same with no status that makes their clients send the request again: they would leave its form out."""
    told = elevenlabs_error(problem, request_id)
    again = told.status in (408, 409, 429) or told.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _told(problem, HTTPStatus.BAD_REQUEST, request_id) if again else told


def _told(problem: Problem, status: int, request_id: str) -> Told:
    code = _code(problem)
    detail = {"status": _STATUSES.get(code, code), "message": _message(problem)}
    body = orjson.dumps({"detail": detail | {"request_id": request_id}})
    return Told(status, body, "application/json", problem.headers)


def _code(problem: Problem) -> str:
    # Any: a field, its message, perhaps a code of its own
    errors: list[Mapping[str, Any]] = problem.extra.get("errors", [])
    return next((one["code"] for one in errors if "code" in one), problem.code)


def _message(problem: Problem) -> str:
    # Any: a field, its message, its limits
    errors: list[Mapping[str, Any]] = problem.extra.get("errors", [])
    named = [f"{_renamed(one['field'])}: {one['message']}" for one in errors if "field" in one and "message" in one]
    return "; ".join(named) or problem.detail or problem.title


def _renamed(field: str) -> str:
    first, *others = field.split(".")
    return ".".join((_FIELDS.get(first, first), *others))
