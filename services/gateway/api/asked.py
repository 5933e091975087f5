"""A request that has found its route and is known to be allowed, and what answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from libs.web import Caller, Once
from services.gateway.domain.access import Credential
from services.gateway.domain.headers import RequestHeaders
from services.gateway.domain.routes import Route


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way to what answers it.

    `path` and `query` are as they came; `credential` is None where the route needs no key; `scope` is the server's;
    `added` are headers that the answer gets, whoever gives it, also when it is an error;
    `once` is by what it is known if it is to be done once: whoever asks a service to make something for it says so
    (`once.headers`), and what the gateway makes itself gets that id.
    """

    route: Route
    path: str
    query: bytes
    headers: RequestHeaders
    request_id: str
    credential: Credential | None
    scope: Scope
    added: list[tuple[bytes, bytes]]
    once: Once | None = None


Handler = Callable[[Asked, Receive, Send], Awaitable[None]]
"""Answers a request: the proxy, the gateway's own application, or a handler around another one, such as limits.

Raises what is in PROBLEMS before the answer has begun; AnswerCutOff after; ClientGone.
"""


def caller_of(credential: Credential) -> Caller:
    """Return who is asking, as services are told."""
    return Caller(org_id=credential.org_id, key_id=credential.key_id, user_id=credential.user_id)
