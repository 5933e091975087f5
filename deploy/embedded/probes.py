"""Is it up? Small questions to servers and services, with nothing but the standard library."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from deploy.embedded.errors import StackError

ANSWER_SECONDS = 5.0
"""For how long an answer is waited for: on a machine that is busy with other things it comes late, and from a process
that hangs never."""
_INTERVAL_SECONDS = 0.02

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's first message of a client that asks for encryption; a server that accepts clients says S or N."""


async def http_status(url: str, timeout: float = ANSWER_SECONDS) -> tuple[int, str]:
    """Status and body (at most 4 KiB) of a GET; status 0 and the reason when there is no answer."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                target = parts.path + (f"?{parts.query}" if parts.query else "")
                writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
                answer = await _read_all(reader, 8192)
            finally:
                writer.close()
    except TimeoutError:
        return 0, f"no answer within {timeout:g} s"
    except OSError as error:
        return 0, error.strerror or str(error)
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return 0, "closed the connection without an answer"
    return int(words[1]), body[:4096].decode(errors="replace")


async def find_obstacle(health: str) -> str | None:
    """Ask once whether a process does its work. None when it does, otherwise what it answered instead.

    `health` is an http URL whose answer should be 200, or the postgresql URL of a database server.
    """
    if urlsplit(health).scheme == "postgresql":
        return await _ask_postgres(urlsplit(health).port)
    status, body = await http_status(health)
    if status == 200:
        return None
    return f"{health} answered {status}: {body[:500].strip()}" if status else f"{health}: {body}"


async def until_clear(obstacle: Callable[[], Awaitable[str | None]], seconds: float) -> None:
    """Ask again and again, return at the first None. Raises StackError with the last obstacle after `seconds`."""
    deadline = time.monotonic() + seconds
    while (found := await obstacle()) is not None:
        if time.monotonic() > deadline:
            raise StackError(f"was not ready within {seconds:g} s: {found}")
        await asyncio.sleep(_INTERVAL_SECONDS)


async def _ask_postgres(port: int | None, timeout: float = ANSWER_SECONDS) -> str | None:
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_SSL_REQUEST)
                answer = await reader.read(1)
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {timeout:g} s"
    except OSError as error:
        return error.strerror or str(error)
    return None if answer in (b"S", b"N") else "closed the connection without an answer"


async def _read_all(reader: asyncio.StreamReader, limit: int) -> bytes:
    answer = b""
    while len(answer) < limit and (piece := await reader.read(limit - len(answer))):
        answer += piece
    return answer
