"""What clients are told when the gateway itself says no."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException

from libs.messaging.reading import StreamAway
from libs.objectstore import ObjectStoreUnavailable
from libs.web import Problem, ProblemOf, invalid_field
from libs.web.problems import UNAVAILABLE, http_problem
from services.gateway.api.access_problems import ACCESS_PROBLEMS
from services.gateway.api.front import MalformedRequest
from services.gateway.api.webhook_problems import WEBHOOK_PROBLEMS
from services.gateway.domain import failures
from services.gateway.domain.hosts import MisdirectedRequest
from services.gateway.domain.limits import CONCURRENCY, LimitReached, StrangerLimitReached
from services.gateway.domain.live import TooManySubscribers
from services.gateway.domain.route_table import MethodNotAllowed
from services.gateway.domain.routes import MIB
from services.gateway.usecases.open_sockets import TooManySockets

RETRY_AFTER_SECONDS = "1"

_INVALID_KEY = Problem(
    401,
    "unauthenticated",
    "A valid API key is needed",
    "Send the header `Authorization: Bearer <API key>`; `antiphon env` prints the key of an embedded stack.",
    headers={"WWW-Authenticate": 'Bearer realm="antiphon"'},
)
_NOTHING_HERE = Problem(404, "not_found", "There is nothing at this path", "GET / says what there is.")
_TOO_SLOW = Problem(
    408,
    "request_timeout",
    "The request's body did not come in time",
    "Please send it again over a faster connection, or send less.",
)


def _scope_missing(error: failures.ScopeMissing) -> Problem:
    return Problem(
        403,
        "scope_missing",
        "The API key may not do this",
        f"It needs the scope {error.scope}: use another key, or make one that has it.",
        {"scope": error.scope},
    )


def body_too_large(error: failures.BodyTooLarge) -> Problem:
    """Return the 413; the connection is closed, because the rest of the body is not wanted."""
    return Problem(
        413,
        "body_too_large",
        "The request's body is too large",
        f"At most {error.limit_bytes} bytes ({error.limit_bytes // MIB} MiB) are taken here; send less.",
        {"limit_bytes": error.limit_bytes},
        headers={"Connection": "close"},
    )


_MISDIRECTED = Problem(
    421,
    "misdirected_request",
    "This gateway does not answer under that name",
    "Use a name that it has, or its address; ANTIPHON_ALLOWED_HOSTS lists the names.",
    headers={"Connection": "close"},
)


def _malformed(error: MalformedRequest) -> Problem:
    return Problem(
        400, "bad_request", "The request is not valid HTTP", f"{error}".capitalize(), headers={"Connection": "close"}
    )


def _limit_reached(error: LimitReached) -> Problem:
    detail = (
        f"At most {error.limit} requests of an organisation on this plan are answered at the same time; wait for some."
        if error.policy == CONCURRENCY
        else f"Wait {error.retry_after} s; RateLimit-Policy says what the plan allows, and RateLimit what is left."
    )
    return Problem(
        429,
        "concurrency_limited" if error.policy == CONCURRENCY else "rate_limited",
        "Too many requests",
        detail,
        {"policy": error.policy, "limit": error.limit},
        headers={"Retry-After": str(error.retry_after)},
    )


def _stranger_limit_reached(error: StrangerLimitReached) -> Problem:
    return Problem(
        429,
        "too_many_attempts",
        "Too many requests without a valid API key",
        f"Wait {error.retry_after} s, and send a valid key.",
        headers={"Retry-After": str(error.retry_after)},
    )


def too_many_subscribers(error: TooManySubscribers) -> Problem:
    """Return the 429; some other stream must end first."""
    return Problem(
        429,
        "too_many_subscribers",
        "Too many clients listen",
        f"At most {error.limit} of an organisation on this plan listen at the same time; close some, or share one.",
        {"limit": error.limit},
        headers={"Retry-After": "15"},
    )


def _too_many_sockets(error: TooManySockets) -> Problem:
    return Problem(
        429,
        "too_many_sockets",
        "Too many WebSockets are open",
        f"At most {error.limit} of an organisation on this plan are open at the same time; close some.",
        {"limit": error.limit},
        headers={"Retry-After": "15"},
    )


def _invalid_key(error: failures.InvalidIdempotencyKey) -> Problem:
    return invalid_field("Idempotency-Key", str(error))


_KEY_REUSED = Problem(
    422,
    "idempotency_key_reused",
    "The idempotency key was used for another request",
    "Idempotency-Key: send a new key for a new request, or repeat the first request unchanged.",
)
_ANSWER_LOST = Problem(
    409,
    "answer_lost",
    "The request was done, but its answer was lost",
    "List what there is to see what was made; a secret that was shown to nobody can be replaced by rotating it.",
)
_STILL_RUNNING = Problem(
    409,
    "request_still_running",
    "The request with this idempotency key is still being done",
    "Idempotency-Key: repeat the request after a moment for its answer.",
    headers={"Retry-After": RETRY_AFTER_SECONDS},
)


def _method_not_allowed(error: MethodNotAllowed) -> Problem:
    allowed = ", ".join(error.allowed)
    return Problem(
        405,
        "method_not_allowed",
        "This path does not have that method",
        f"Use one of: {allowed}.",
        headers={"Allow": allowed},
    )


def _service_left_alone(error: failures.ServiceLeftAlone) -> Problem:
    return Problem(
        503,
        "service_unavailable",
        "The service behind this does not answer at the moment",
        "Nothing was done; please repeat the request.",
        {"service": error.service},
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def _service_unavailable(error: failures.ServiceUnavailable) -> Problem:
    status, detail = (
        (503, "Nothing was done; please repeat the request.")
        if error.nothing_done
        else (502, "The connection to it broke: it may have done what was asked. Look before you repeat the request.")
    )
    return Problem(
        status,
        "service_unavailable",
        "The service behind this is away for a moment",
        detail,
        {"service": error.service},
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def _service_too_slow(error: failures.ServiceTooSlow) -> Problem:
    return Problem(
        504,
        "service_timeout",
        "The service behind this did not answer in time",
        "It may still do what was asked. Look before you repeat the request.",
        {"service": error.service},
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def _refused(error: failures.Refused) -> Problem:
    return Problem(error.status, error.code, error.title, error.detail, error.extra, error.headers)


def unknown_model(error: failures.UnknownModel) -> Problem:
    return Problem(404, "model_not_found", "There is no such model", f"The list of models has no {error.model!r}.")


def _framework(error: HTTPException) -> Problem:
    if isinstance(error.__cause__, failures.BodyTooLarge):  # raised while the framework read the body
        return body_too_large(error.__cause__)
    return _NOTHING_HERE if error.status_code == HTTPStatus.NOT_FOUND else http_problem(error)


PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    failures.InvalidKey: lambda _error: _INVALID_KEY,
    failures.ScopeMissing: _scope_missing,
    failures.BodyTooLarge: body_too_large,
    failures.BodyTooSlow: lambda _error: _TOO_SLOW,
    failures.InvalidIdempotencyKey: _invalid_key,
    failures.IdempotencyKeyReused: lambda _error: _KEY_REUSED,
    failures.AnswerLost: lambda _error: _ANSWER_LOST,
    failures.RequestStillRunning: lambda _error: _STILL_RUNNING,
    failures.ServiceUnavailable: _service_unavailable,
    failures.ServiceLeftAlone: _service_left_alone,
    failures.ServiceTooSlow: _service_too_slow,
    failures.Refused: _refused,
    failures.InvalidField: lambda error: invalid_field(error.field, error.message),
    failures.UnknownModel: unknown_model,
    MalformedRequest: _malformed,
    MisdirectedRequest: lambda _error: _MISDIRECTED,
    LimitReached: _limit_reached,
    StrangerLimitReached: _stranger_limit_reached,
    TooManySubscribers: too_many_subscribers,
    TooManySockets: _too_many_sockets,
    **WEBHOOK_PROBLEMS,
    StreamAway: lambda _error: UNAVAILABLE,
    ObjectStoreUnavailable: lambda _error: UNAVAILABLE,
    MethodNotAllowed: _method_not_allowed,
    HTTPException: _framework,
    **ACCESS_PROBLEMS,
}
