"""One request and its answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from opentelemetry import metrics
from starlette.types import Message, Receive, Send

from libs.ids import new_id
from libs.web import Problem
from services.gateway.api.dialects import render
from services.gateway.domain.headers import RequestHeaders
from services.gateway.domain.routes import Dialect

logger = logging.getLogger(__name__)

LINGER_BYTES = 32 * 2**20
LINGER_SECONDS = 2.0
"""How much of a refused body is still taken, so that a client that reads only then finds the answer."""

LOG_LATER_SECONDS = 0.001

_duration = metrics.get_meter("antiphon.gateway").create_histogram(
    "http.server.request.duration", unit="s", description="From a request's headers to the end of its answer"
)


_CONTENT_POLICY = (
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_POLICY = ((b"content-security-policy", _CONTENT_POLICY),)
"""What a page may load, unless it says so itself."""


class Exchange:
    """Sends the answer to one request, with the request's id, and knows what became of it.

    `status` is 0 until an answer has begun; `outcome` is the code of a problem, or what cut the exchange short;
    `added` are headers that the answer gets, whoever gives it; `dialect` is the form of its errors.
    """

    __slots__ = (
        "_client_send",
        "_method",
        "_started",
        "added",
        "dialect",
        "headers",
        "outcome",
        "receive",
        "request_id",
        "status",
    )

    def __init__(
        self,
        method: str,
        headers: RequestHeaders,
        receive: Receive,
        send: Send,
        added: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self._started = time.perf_counter()
        self._method = method
        self._client_send = send
        self.headers = headers
        self.receive = receive
        self.request_id = headers.request_id or str(new_id())
        self.status = 0
        self.outcome = ""
        self.added: list[tuple[bytes, bytes]] = list(added)
        self.dialect: Dialect = "antiphon"

    def forget_client(self) -> None:
        """Have an id of our own, and a trace of our own: a client's may be the same for all that it asks."""
        self.request_id = str(new_id())
        self.headers.trace.clear()

    async def send(self, message: Message) -> None:
        """Send one ASGI message; what was accepted is held by nobody but the connection."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())
            message["headers"] = [
                *given,
                *self.added,
                *(_POLICY if _is_page(given) else ()),
                (b"x-request-id", self.request_id.encode()),
            ]
        await self._client_send(message)

    async def refuse(self, problem: Problem) -> None:
        """Answer with `problem`."""
        body = await self._start_refusal(problem)
        await self.send({"type": "http.response.body", "body": body})

    async def answer_empty(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Answer with nothing but headers."""
        await self.send({"type": "http.response.start", "status": 204, "headers": list(headers)})
        await self.send({"type": "http.response.body", "body": b""})

    async def refuse_body(self, problem: Problem) -> None:
        """Answer with `problem` while the client is still sending, and close the connection.

        A client that sends all before it reads would find the connection broken and never see the answer: some more is
        taken and thrown away. One that was told to wait (`Expect: 100-continue`) sends nothing.
        """
        body = await self._start_refusal(problem)
        await self.send({"type": "http.response.body", "body": body, "more_body": True})
        if not (self.headers.expects_continue and self.headers.content_length):
            await self._linger()
        await self.send({"type": "http.response.body", "body": b""})

    def log(self, template: str | None = None) -> None:
        """Leave a line and a measurement; `template` is the route, None where none was found.

        A moment later: who asks one thing after the other need not wait for what was written about the one before.
        """
        seconds = time.perf_counter() - self._started
        # In the context of now, from which the line gets its trace.
        asyncio.get_running_loop().call_later(LOG_LATER_SECONDS, self._log, template, seconds)

    def _log(self, template: str | None, seconds: float) -> None:
        logger.info(
            "request",
            extra={
                "method": self._method,
                "route": template,
                "status": self.status,
                "outcome": self.outcome or None,
                "duration_ms": round(seconds * 1000, 2),
                "request_id": self.request_id,
            },
        )
        _duration.record(
            seconds,
            {
                "http.request.method": self._method,
                "http.route": template or "",
                "http.response.status_code": self.status,
            },
        )

    async def _start_refusal(self, problem: Problem) -> bytes:
        """Send the status and the headers; return the body."""
        self.outcome = problem.code
        told = render(problem, self.dialect, self.request_id)
        headers = {"Content-Type": told.media_type, "Content-Length": str(len(told.body))}
        raw = [(name.lower().encode(), value.encode()) for name, value in (headers | dict(told.headers)).items()]
        await self.send({"type": "http.response.start", "status": told.status, "headers": raw})
        return told.body

    async def _linger(self) -> None:
        taken = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while taken < LINGER_BYTES:
                    message = await self.receive()
                    if not message.get("more_body", False):
                        return
                    taken += len(message.get("body", b""))


def _is_page(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    names = dict(headers)
    return names.get(b"content-type", b"").startswith(b"text/html") and b"content-security-policy" not in names
