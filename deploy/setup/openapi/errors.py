"""What the gateway itself answers when a request may not pass, in the form of each API that it speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson
from starlette.exceptions import HTTPException

from deploy.setup.openapi.sources import Json
from libs.web import Problem, ProblemOf
from libs.web.described import EXAMPLE_REQUEST_ID, SAID, header, told
from libs.web.problems import INTERNAL, MEDIA_TYPE, UNAVAILABLE, invalid_field
from services.gateway.api.dialects import render
from services.gateway.api.problems import PROBLEMS
from services.gateway.domain import failures
from services.gateway.domain.access import ANY_SCOPE
from services.gateway.domain.limits import CONCURRENCY, KEY, LimitReached, StrangerLimitReached
from services.gateway.domain.routes import Dialect, Route

PROBLEM: Json = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). `code` is stable; `detail` names the field, the limit and the remedy.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "`code` as a URN."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "The fields that are wrong.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "request_id": {"type": "string", "description": "Under which the server logs the request."},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
}
OPENAI_ERROR: Json = {
    "title": "OpenAIError",
    "description": "What went wrong, as OpenAI's clients expect it.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
ELEVENLABS_ERROR: Json = {
    "title": "ElevenLabsError",
    "description": "What went wrong, as ElevenLabs' clients expect it.",
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "type": "object",
            "required": ["status", "message", "request_id"],
            "properties": {
                "status": {"type": "string", "description": "What it is, in a word that does not change."},
                "message": {"type": "string"},
                "request_id": {"type": "string", "description": "Under which the server logs the request."},
            },
        }
    },
}
SCHEMAS: Json = {"Problem": PROBLEM, "OpenAIError": OPENAI_ERROR, "ElevenLabsError": ELEVENLABS_ERROR}
OF_DIALECT: dict[Dialect, str] = {
    "antiphon": "Problem",
    "openai": "OpenAIError",
    "elevenlabs": "ElevenLabsError",
    "elevenlabs_once": "ElevenLabsError",
}


_LIMITS = ((KEY, 300, 1, ()), (CONCURRENCY, 10, 1, ()))


def _problem(error: Exception) -> Problem:
    of: ProblemOf = PROBLEMS[type(error)]
    return of(error)


def is_done_once(route: Route) -> bool:
    """Say whether an idempotency key means something to `route`."""
    # An erasure forgets its key with all else; release 1 said that it takes one, and it may still be sent.
    is_remembered = route.is_remembered or route.template == "/v1/organization/erasure"
    return route.method == "POST" and route.scope is not None and is_remembered


def of_gateway(route: Route, asked: Iterable[str] = ()) -> dict[str, Json]:
    """Return the answers by status that a request of `route` may get from the gateway, or from any service.

    `asked` are the services that the gateway asks before it answers itself.
    """
    problems = [INTERNAL, UNAVAILABLE]
    if route.scope is not None:
        problems.append(_problem(failures.InvalidKey()))
        problems += [_problem(LimitReached(*reached)) for reached in _LIMITS]
        problems.append(_problem(StrangerLimitReached(7)))
    if route.scope is not None and route.scope != ANY_SCOPE:
        problems.append(_problem(failures.ScopeMissing(route.scope)))
    if route.method not in ("GET", "HEAD", "DELETE"):
        problems += [_problem(failures.BodyTooLarge(route.body_bytes)), _problem(failures.BodyTooSlow())]
    if is_done_once(route):
        problems += [_problem(failures.RequestStillRunning()), _problem(failures.IdempotencyKeyReused())]
    if is_done_once(route) and route.service is None and route.dialect == "antiphon":
        problems.append(_problem(failures.AnswerLost()))
    for service in dict.fromkeys(one for one in (route.service, *asked) if one is not None):
        away = failures.ServiceUnavailable(service, nothing_done=False)
        problems += [_problem(away), _problem(failures.ServiceTooSlow(service))]
    problems.append(invalid_field("limit", "Input should be a valid integer"))
    return {str(status): answer for status, answer in told(*problems).items()}


def nothing_here() -> dict[str, Json]:
    """Return the answer to a path that can be nobody's, such as one with escapes in it."""
    return {str(status): answer for status, answer in told(_problem(HTTPException(404))).items()}


_PASSED_ON = (
    Problem(404, "not_found", "There is no such thing"),
    Problem(409, "name_taken", "The name is taken"),
    Problem(402, "quota_exceeded", "The plan's characters for this period are used up"),
)


def passed_on(route: Route) -> dict[str, Json]:
    """Return what another vendor's route passes on from services, in their form."""
    problems = told(*_PASSED_ON) if route.dialect != "antiphon" else {}
    return spoken({str(status): answer for status, answer in problems.items()}, route.dialect)


def spoken(answers: Mapping[str, Json], dialect: Dialect) -> dict[str, Json]:
    """Return `answers` with the problems among them as the clients of `dialect` are told them, status and all."""
    if dialect == "antiphon":
        return dict(answers)
    said: dict[str, Json] = {}
    for status, answer in answers.items():
        if MEDIA_TYPE not in answer.get("content", {}):
            said[status] = answer
            continue
        for code, example in answer["content"][MEDIA_TYPE].get("examples", {}).items():
            _say(said, _problem_again(code, example["value"], answer), dialect)
    return said


def _problem_again(code: str, body: Json, answer: Json) -> Problem:
    extra = {name: value for name, value in body.items() if name not in PROBLEM["required"]}
    headers = {name: one["example"] for name, one in answer.get("headers", {}).items()}
    return Problem(body["status"], code, body["title"], body["detail"], extra, headers)


def _say(said: dict[str, Json], problem: Problem, dialect: Dialect) -> None:
    told_as = render(problem, dialect, EXAMPLE_REQUEST_ID)
    name = "Problem" if told_as.media_type == MEDIA_TYPE else OF_DIALECT[dialect]
    answer = said.setdefault(str(told_as.status), {"description": "", "content": {}})
    content = answer["content"].setdefault(
        told_as.media_type, {"schema": {"$ref": f"#/components/schemas/{name}"}, "examples": {}}
    )
    content["examples"][problem.code] = {"summary": problem.title, "value": orjson.loads(told_as.body)}
    answer["description"] = "; ".join(dict.fromkeys(one["summary"] for one in content["examples"].values()))
    known = {name: header(SAID.get(name.lower(), name), value) for name, value in told_as.headers.items()}
    answer.setdefault("headers", {}).update(known)
