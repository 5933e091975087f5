"""Errors as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from libs.web import Problem
from services.gateway.api.told import Told

_STATUS = {HTTPStatus.UNPROCESSABLE_ENTITY: 400, HTTPStatus.PAYMENT_REQUIRED: 429}
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_CODES = {
    "unauthenticated": "invalid_api_key",
    "quota_exceeded": "insufficient_quota",
    "overloaded": "rate_limit_exceeded",
    "voice_not_found": "voice_not_found",
}
_FINAL = frozenset(("quota_exceeded", "idempotency_key_reused"))
"""Repeating these changes nothing: the clients, which repeat 409, 429 and 5xx by themselves, are told not to."""
_FIELDS = {"text": "input", "voice_id": "voice", "format": "response_format", "model_id": "model"}
"""Our names of what their clients send under another one."""


def openai_error(problem: Problem) -> Told:
    """Return `problem` in their form; `param` names the field if it is about one."""
    status = _STATUS.get(HTTPStatus(problem.status), problem.status)
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    param, message = _about(problem)
    error = {
        "message": message,
        "type": "insufficient_quota" if problem.code == "quota_exceeded" else _TYPES.get(status, kind),
        "param": param,
        "code": _CODES.get(problem.code, problem.code),
    }
    headers = dict(problem.headers)
    if problem.code in _FINAL:
        headers["x-should-retry"] = "false"
    return Told(status, orjson.dumps({"error": error}), "application/json", headers)


def _about(problem: Problem) -> tuple[str | None, str]:
    # Any: a field, its message, its limits
    errors: list[Mapping[str, Any]] = problem.extra.get("errors", [])
    named = [(_field(one["field"]), one["message"]) for one in errors if "field" in one]
    if not named:
        return None, problem.detail or problem.title
    return named[0][0], "; ".join(f"{field}: {message}" for field, message in named)


def _field(path: str) -> str:
    """Return the field as their clients know it, of a path into it."""
    name = path.partition(".")[0]
    return _FIELDS.get(name, name)
