"""What a service is asked, and what is there of its answer before all of it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol

from opentelemetry.trace import Span, StatusCode

from libs.web import Caller
from services.gateway.adapters.plain_http import Answer, ConnectionBroken
from services.gateway.domain.failures import AnswerCutOff, InvalidHandover
from services.gateway.domain.headers import conditions
from services.gateway.domain.routes import SERVICES


class Body(Protocol):
    """A request's body on its way through."""

    @property
    def started(self) -> bool:
        """Say whether a part of it was taken, so that it cannot be sent again."""
        ...

    @property
    def awaits_client(self) -> bool:
        """Say whether the client has to send more of it before anything can go on."""
        ...

    @property
    def failure(self) -> Exception | None:
        """Why the rest of it will not come."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Return it piece by piece."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a service. `target` is a path, with a query if there is one, escaped as it shall be sent."""

    service: str
    method: str
    target: str
    template: str
    headers: Sequence[tuple[str, str]]
    caller: Caller
    answer_seconds: float
    body: Body | None = None


class Fetched:
    """A service's answer, of which only the headers are there yet."""

    __slots__ = ("_answer", "_service", "_span", "headers", "status")

    def __init__(self, answer: Answer, service: str, span: Span | None, head: Fetched | None = None) -> None:
        """`head` is the answer that has the status and the headers, if `answer` has but the content."""
        self._answer = answer
        self._service = service
        self._span = span
        self.status: int = answer.status if head is None else head.status
        self.headers: Sequence[tuple[bytes, bytes]] = answer.headers if head is None else _with_length(head, answer)
        if span is not None:
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                span.set_status(StatusCode.ERROR)

    def header(self, name: bytes) -> str | None:
        """Return the first header of this name, which is in lower case."""
        return self._answer.header(name)

    def rest(self) -> bytes | None:
        """Return what is left of the body if all of it is here already."""
        return self._answer.rest()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body as it comes; raises AnswerCutOff."""
        try:
            async for chunk in self._answer.chunks():
                yield chunk
        except (ConnectionBroken, TimeoutError) as error:
            if self._span is not None:
                record_failure(self._span, error)
            raise AnswerCutOff(self._service) from error

    def close(self) -> None:
        """Say that nothing more of it is wanted."""
        self._answer.close()
        if self._span is not None:
            self._span.end()


def _with_length(head: Fetched, content: Answer) -> Sequence[tuple[bytes, bytes]]:
    length = (content.header(b"content-length") or "").encode()
    return [*(header for header in head.headers if header[0].lower() != b"content-length"), (b"content-length", length)]


def handed_over(question: Question, instruction: str) -> Question:
    """Return what to ask the service that `instruction` names; raises InvalidHandover."""
    service, _, target = instruction.partition(" ")
    if service not in SERVICES or not target.startswith("/internal/"):
        raise InvalidHandover(f"{question.service} handed {question.template} over to {instruction!r}")
    kept = [header for header in question.headers if header[0] == "x-request-id"]
    headers = [*conditions(question.headers), *kept]
    return replace(question, service=service, target=target, headers=headers, body=None)


def record_failure(span: Span, error: BaseException) -> None:
    """Say on a span that it failed."""
    # An exception's text may hold an address; its type says enough.
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(StatusCode.ERROR)
