"""Asking services on behalf of one request, for routes that the gateway answers itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from libs.web import Caller, Once
from libs.web.phrases import phrase_of
from services.gateway.adapters.questions import Body, Question
from services.gateway.adapters.services import Services
from services.gateway.domain.failures import Refused
from services.gateway.domain.routes import ANSWER_SECONDS, Service

_PASSED_ON = ("Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate")
_MADE_ANEW = ("type", "status", "request_id", "trace_id")
_JSON = ("content-type", "application/json")


class Content:
    """A request's body that is known in full."""

    started = False
    awaits_client = False
    failure: Exception | None = None

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield it in one piece."""
        self.started = True
        yield self._content


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks services in the name of `caller`; what they do is logged under `request_id`.

    If the request is to be done `once`, each POST is: they are told apart by how many were done before, so they come in
    one order. What was refused was not done, and may be asked again.
    """

    services: Services
    caller: Caller
    request_id: str
    once: Once | None = None
    _done: list[str] = field(default_factory=list, repr=False, compare=False)

    async def json(
        self,
        method: str,
        service: Service,
        target: str,
        *,
        template: str | None = None,
        document: object = None,
        body: Body | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Any:  # Any: whatever JSON the service answers; None for an answer without a body
        """Return what a service answers.

        `target` is a path with its query, escaped, and `template` the same for people; `document` becomes the JSON of
        the request, or `body` is sent, of which `headers` say what it is. Raises Refused, and what `Services.ask`
        raises.
        """
        async with self.open(
            method,
            service,
            target,
            template=template,
            document=document,
            body=body,
            answer_seconds=answer_seconds,
            headers=headers,
        ) as answer:
            content = await answer.read()
        return orjson.loads(content) if content else None

    @asynccontextmanager
    async def open(
        self,
        method: str,
        service: Service,
        target: str,
        *,
        template: str | None = None,
        document: object = None,
        body: Body | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        headers: Sequence[tuple[str, str]] = (),
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask as `json` does; yield the answer while its body still comes."""
        sent = [*headers, ("x-request-id", self.request_id)]
        if self.once is not None and method == "POST":
            sent += self.once.part(len(self._done)).headers
        if document is not None:
            content = orjson.dumps(document)
            body = Content(content)
            sent += [_JSON, ("content-length", str(len(content)))]
        question = Question(
            service=service,
            method=method,
            target=target,
            template=template or target.partition("?")[0],
            headers=sent,
            caller=self.caller,
            answer_seconds=answer_seconds,
            body=body,
        )
        async with self.services.ask(question) as answer:
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise _refusal(answer.status, answer.headers, await answer.read())
            if method == "POST":
                self._done.append(target)
            yield answer


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    members: dict[str, Any] = orjson.loads(body) if body.startswith(b"{") else {}  # Any: a problem's members
    return Refused(
        status=status,
        code=str(members.pop("code", "http_error")),
        title=str(members.pop("title", phrase_of(status))),
        detail=str(members.pop("detail", "")),
        extra={name: value for name, value in members.items() if name not in _MADE_ANEW},
        headers={name: headers[name] for name in _PASSED_ON if name in headers},
    )
