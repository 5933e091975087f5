"""Clients' connections: none is kept by who says nothing, and no head of a request grows without end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from libs.service.strict_http import StrictHttpProtocol

LOOK_SECONDS = 1.0
MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100


@dataclass(slots=True)
class Connections:
    """All that are open, and how long each may take over what.

    `head_seconds` is the time for the head of a request, on a new connection from its beginning; a body has to bring
    `body_bytes` in every `body_seconds`; an answer has to be taken by the client, `read_seconds` for what the system's
    buffers hold. Only time in which this process could have heard of the client counts: what it was itself held up
    for, beyond a look's time, is nobody's fault.
    """

    head_seconds: float = 10.0
    body_seconds: float = 10.0
    body_bytes: int = 5_000
    read_seconds: float = 30.0
    look_seconds: float = LOOK_SECONDS
    open: set[Connection] = field(default_factory=set)
    _held_up: float = 0.0

    async def run(self) -> None:
        """End what takes too long, until cancelled."""
        looked_at = time.monotonic()
        while True:
            await asyncio.sleep(self.look_seconds)
            now = time.monotonic()
            self._held_up += max(0.0, now - looked_at - 2 * self.look_seconds)
            looked_at = now
            for connection in list(self.open):
                connection.look(self.now())

    def now(self) -> float:
        """Return the seconds that clients had so far, on a clock that stands still while this process does."""
        return time.monotonic() - self._held_up

    def protocol(self, **parts: Any) -> Connection:  # Any: what uvicorn gives its protocols
        """Return the protocol of a new connection; uvicorn calls it."""
        return Connection(self, **parts)


class Connection(StrictHttpProtocol):
    """One of them: uvicorn's own, with limits."""

    def __init__(self, limits: Connections, **parts: Any) -> None:  # Any: as above
        super().__init__(**parts)
        self._limits = limits
        self._head_began: float | None = None
        self._head_bytes = 0
        self._in_head = False
        self._body_bytes = 0
        self._body_looked_at = 0.0
        self._unread_since: float | None = None
        self._refusal: tuple[HTTPStatus, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's is
        """Begin to count the time."""
        super().connection_made(transport)
        self._head_began = self._limits.now()
        self._limits.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._limits.open.discard(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Leave it to the WebSocket's protocol, which has limits of its own."""
        self._limits.open.discard(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is a head without end."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > 2 * MAX_HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self._in_head = True
        self._head_bytes = 0
        self._head_began = self._limits.now()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Check the head, of which the parser has made sure that it can be read in one way only."""
        self._in_head = False
        self._head_began = None
        self._body_bytes = 0
        self._body_looked_at = 0.0
        headers = self.headers
        size = len(self.url) + sum([len(name) + len(value) for name, value in headers])
        if len(headers) > MAX_HEADERS or size > MAX_HEAD_BYTES:
            self._refusal = (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request's head is too large")
            raise ValueError("head too large")
        if self.url[:1] != b"/":
            _take_host_of_target(self.url, headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count what comes."""
        self._body_bytes += len(body)
        super().on_body(body)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self._unread_since = self._limits.now()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._unread_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words for it
        """Refuse what cannot be read."""
        status, detail = self._refusal or (HTTPStatus.BAD_REQUEST, "the request is not valid HTTP")
        self._refuse(status, detail)

    def look(self, now: float) -> None:
        """End the connection if the client takes too long."""
        limits = self._limits
        if self._unread_since is not None and now - self._unread_since > limits.read_seconds:
            self.transport.abort()
        elif self._head_began is not None:
            if now - self._head_began > limits.head_seconds:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")
        elif self._awaits_body():
            self._look_at_body(now)

    def _awaits_body(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return (
            cycle is not None
            and cycle.more_body
            and not cycle.response_complete
            and not cycle.waiting_for_100_continue
            and not self.flow.read_paused
        )

    def _look_at_body(self, now: float) -> None:
        if self._body_looked_at and now - self._body_looked_at < self._limits.body_seconds:
            return
        if self._body_looked_at and self._body_bytes < self._limits.body_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request's body comes too slowly")
        self._body_bytes = 0
        self._body_looked_at = now

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Say why, where that can still be said, and end the connection."""
        if self.transport.is_closing():
            return
        if self._may_speak():
            self.transport.write(_problem(status, detail))
        self.transport.close()

    def _may_speak(self) -> bool:
        """Say whether an answer that is given now would be taken for the one to the request that is refused."""
        cycle: RequestResponseCycle | None = self.cycle
        if self._head_began is not None and not self._in_head:
            return False  # it has said nothing yet
        if cycle is None or cycle.response_complete:
            return True
        return not (self._in_head or cycle.response_started or self.pipeline)


def _problem(status: HTTPStatus, detail: str) -> bytes:
    code = status.phrase.lower().replace(" ", "_")
    body = orjson.dumps(
        {
            "type": f"urn:antiphon:problem:{code}",
            "title": status.phrase,
            "status": status.value,
            "code": code,
            "detail": f"{detail[:1].upper()}{detail[1:]}.",
        }
    )
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


def _take_host_of_target(target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Let the host of an absolute target count, as HTTP says, whatever the header has."""
    _, separator, rest = target.partition(b"://")
    if separator:
        authority = rest.partition(b"/")[0].partition(b"?")[0]
        headers[:] = [header for header in headers if header[0] != b"host"]
        headers.append((b"host", authority.rpartition(b"@")[2]))
