"""GET over connections that stay open: the part of HTTP/1.1 that most requests to services need, and no more.

The client library takes longer over a small request than the gateway does over all the rest (docs/adr/0009).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import cast
from urllib.parse import urlsplit

import httptools

MAX_HEAD_BYTES = 64 * 1024
PAUSE_BYTES = 512 * 1024
"""How much of a body waits for its reader before the service has to wait, too."""
_FIRST_FINAL_STATUS = 200


class ConnectionBroken(Exception):
    """The connection ended, or what came was no HTTP, before the answer was whole."""


class NoConnection(Exception):
    """There is none, and none could be made: nothing was asked."""


class Answer:
    """An answer whose head has come. `close` it; what was read to its end leaves its connection to the next request."""

    __slots__ = ("_connection", "_pause_seconds", "headers", "status")

    def __init__(self, connection: _Connection, pause_seconds: float) -> None:
        self._connection = connection
        self._pause_seconds = pause_seconds
        self.status = connection.status
        self.headers: Sequence[tuple[bytes, bytes]] = connection.headers

    def header(self, name: bytes) -> str | None:
        """Return the first header of this name, which is in lower case."""
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == name), None)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body as it comes; raises ConnectionBroken, and TimeoutError when it pauses for too long."""
        connection = self._connection
        while True:
            if connection.waiting:
                yield connection.take()
            elif connection.is_complete:
                return
            elif connection.failure is not None:
                raise connection.failure
            else:
                await connection.more(self._pause_seconds)

    def rest(self) -> bytes | None:
        """Return what is left of the body if all of it is here already."""
        return self._connection.take() if self._connection.is_complete else None

    def close(self) -> None:
        """Give the connection back, or end it if more would come."""
        self._connection.release()


class Pool:
    """Connections to one server."""

    def __init__(self, url: str, *, connect_seconds: float, idle_seconds: float) -> None:
        """Connects lazily. A connection that was idle for longer than `idle_seconds` is not used again."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._encrypted = parts.scheme == "https"
        self._port = parts.port or (443 if self._encrypted else 80)
        self._authority = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._connect_seconds = connect_seconds
        self._idle_seconds = idle_seconds
        self._idle: deque[_Connection] = deque()

    async def get(self, target: str, headers: Sequence[tuple[str, str]], pause_seconds: float) -> Answer:
        """Ask for `target`; return the answer when its head is there.

        The head may take `pause_seconds`, and so may every pause in the body. Raises NoConnection, ConnectionBroken,
        TimeoutError, and ValueError for headers that cannot be sent.
        """
        head = self._head(target, headers)
        connection = self._reuse() or await self._connect()
        try:
            await connection.ask(head, pause_seconds)
        except BaseException:
            connection.end()
            raise
        return Answer(connection, pause_seconds)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().end()

    def keep(self, connection: _Connection) -> None:
        """Keep a connection for the next request."""
        self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """Forget a connection that the server has closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def _head(self, target: str, headers: Sequence[tuple[str, str]]) -> bytes:
        lines = [f"GET {self._prefix}{target} HTTP/1.1", f"host: {self._authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        text = "\r\n".join(lines) + "\r\n\r\n"
        # What came from a client has been through a parser; this is for what one day may not have been.
        if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1 or " " in target:
            raise ValueError("a header or a target that cannot be sent")
        return text.encode()

    def _reuse(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since < self._idle_seconds and connection.is_open:
                return connection
            connection.end()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), self._host, self._port, ssl=True if self._encrypted else None
                )
        except OSError as error:  # a TimeoutError is one
            raise NoConnection from error
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, pool: Pool) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.waiting = 0
        self.is_complete = True
        self.is_open = False
        self.idle_since = 0.0
        self.failure: ConnectionBroken | None = None
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._loop = asyncio.get_running_loop()
        self._chunks: list[bytes] = []
        self._head_bytes = 0
        self._is_paused = False
        self._awaited: asyncio.Future[None] | None = None
        self._reusable = False

    # --- for who asks

    async def ask(self, head: bytes, seconds: float) -> None:
        """Send a request and wait for the head of its answer; raises TimeoutError and ConnectionBroken."""
        self.status, self.headers, self.is_complete, self._head_bytes = 0, [], False, 0
        self._transport.write(head)
        while not self.status:
            if self.failure is not None:
                raise self.failure
            await self.more(seconds)

    async def more(self, seconds: float) -> None:
        """Wait until something happens; raises TimeoutError."""
        awaited = self._awaited = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._timed_out, awaited)
        try:
            await awaited
        finally:
            timer.cancel()
            self._awaited = None

    def take(self) -> bytes:
        """Return what has come of the body."""
        taken = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self.waiting = 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return taken

    def release(self) -> None:
        """Keep the connection if the answer has come to its end."""
        self._chunks.clear()
        self.waiting = 0
        if self.is_complete and self._reusable and self.is_open:
            if self._is_paused:
                self._is_paused = False
                self._transport.resume_reading()
            self.idle_since = self._loop.time()
            self._pool.keep(self)
        else:
            self.end()

    def end(self) -> None:
        """Close the connection."""
        self.is_open = False
        self._transport.abort()

    @staticmethod
    def _timed_out(awaited: asyncio.Future[None]) -> None:
        if not awaited.done():
            awaited.set_exception(TimeoutError())

    def _happened(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def _fail(self, why: str) -> None:
        if self.failure is None:
            self.failure = ConnectionBroken(why)
        self.end()
        self._happened()

    # --- for the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._pool.forget(self)
        if self.failure is None:
            self.failure = ConnectionBroken("closed by the service" if exc is None else type(exc).__name__)
        self._happened()

    def data_received(self, data: bytes) -> None:
        if self.is_complete:  # nobody has asked
            self._fail("more than an answer came")
            return
        if not self.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("the answer is not valid HTTP")
            return
        if not self.status and self._head_bytes > MAX_HEAD_BYTES:
            self._fail("the answer's head has no end")
        elif self.waiting > PAUSE_BYTES and not self._is_paused and not self.is_complete:
            self._is_paused = True
            self._transport.pause_reading()
        if self.status or self.failure:
            self._happened()

    # --- for the parser

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise ValueError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < _FIRST_FINAL_STATUS:
            raise ValueError("an interim answer, which nobody asked for")
        self.status = status
        self._reusable = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self.waiting += len(body)

    def on_message_complete(self) -> None:
        self.is_complete = True
