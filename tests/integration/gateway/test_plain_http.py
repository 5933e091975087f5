"""GET to services: answers in every framing, servers that break off, and connections that are used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from services.gateway.adapters.plain_http import MAX_HEAD_BYTES, Answer, ConnectionBroken, NoConnection, Pool
from tests.integration.gateway.serving import HOST, free_port, until
from tests.support.polling import eventually

Say = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Reads a request's head, then says what the test wants."""

    answers: list[bytes]
    pool: Pool
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    closed: int = 0

    async def get(self, seconds: float = 2.0) -> Answer:
        return await self.pool.get("/v1/voices?a=b", [("x-a", "b")], seconds)

    async def whole(self) -> tuple[int, bytes]:
        answer = await self.get()
        try:
            return answer.status, b"".join([chunk async for chunk in answer.chunks()])
        finally:
            answer.close()


@asynccontextmanager
async def _server(*answers: bytes, piece: int = 0, then_close: bool = False) -> AsyncIterator[Server]:
    """Give the answers one after the other, in pieces of `piece` bytes if that is not 0; then close, or be silent."""
    port = free_port()
    pool = Pool(f"http://{HOST}:{port}", connect_seconds=1, idle_seconds=30)
    server = Server(list(answers), pool)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                server.heads.append(head)
                answer = server.answers.pop(0)
                for start in range(0, len(answer), piece or len(answer) or 1):
                    writer.write(answer[start : start + (piece or len(answer))])
                    await writer.drain()
                    await asyncio.sleep(0)
                if then_close and not server.answers:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            server.closed += 1
            writer.close()

    listening = await asyncio.start_server(serve, HOST, port)
    try:
        yield server
    finally:
        pool.close()
        await until(lambda: server.closed == server.connections)
        listening.close()
        await listening.wait_closed()


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize("piece", [0, 1, 7])
async def test_answers_are_whole_however_they_come(piece: int) -> None:
    async with _server(LENGTH, CHUNKED, EMPTY, LENGTH, piece=piece) as server:
        assert [await server.whole() for _ in range(4)] == [
            (200, b"hello"),
            (200, b"hello"),
            (204, b""),
            (200, b"hello"),
        ]
        assert server.connections == 1
    assert server.heads[0].startswith(b"GET /v1/voices?a=b HTTP/1.1\r\nhost: 127.0.0.1:")
    assert server.heads[0].endswith(b"\r\nx-a: b\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * (2 * MAX_HEAD_BYTES),
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    async with _server(answer, then_close=True) as server:
        with pytest.raises(ConnectionBroken):
            await server.get()
        await until(lambda: server.closed == 1)


@pytest.mark.parametrize(
    "answer",
    [
        LENGTH[:-1],
        CHUNKED[:-2],
        CHUNKED[:-9],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    ],
)
async def test_an_answer_that_breaks_off_is_never_taken_for_whole(answer: bytes) -> None:
    async with _server(answer, then_close=True) as server:
        with pytest.raises(ConnectionBroken):
            await server.whole()


async def test_a_connection_on_which_more_came_is_not_used_again() -> None:
    async with _server(LENGTH + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", LENGTH) as server:
        assert await server.whole() == (200, b"hello")
        assert await server.whole() == (200, b"hello")
        assert server.connections == 2


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    async with _server(LENGTH, then_close=True) as server:
        assert await server.whole() == (200, b"hello")
        await until(lambda: server.closed == 1)
        server.answers.append(CHUNKED)

        async def again() -> bool:
            with suppress(ConnectionBroken):  # until the end of the connection is here, too
                return await server.whole() == (200, b"hello")
            return False

        await eventually(again, within=2, what="a new connection")
        assert server.connections == 2
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with _server(closing, LENGTH) as server:
        assert await server.whole() == (200, b"")
        assert await server.whole() == (200, b"hello")
        assert server.connections == 2


async def test_silence_is_waited_for_only_so_long() -> None:
    async with _server(b"HTTP/1.1 200", LENGTH[:-1]) as server:
        with pytest.raises(TimeoutError):
            await server.get(0.05)
        answer = await server.get(0.05)
        with pytest.raises(TimeoutError):
            async for _ in answer.chunks():
                pass
        answer.close()
        await until(lambda: server.closed == 2)


async def test_who_stops_waiting_ends_the_connection() -> None:
    async with _server(b"", LENGTH) as server:
        asking = asyncio.create_task(server.get())
        await until(lambda: len(server.heads) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: server.closed == 1)
        assert await server.whole() == (200, b"hello")


async def test_a_reader_that_is_slow_slows_the_server() -> None:
    size = 50_000_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    async with _server(head + bytes(size), piece=1_000_000) as server:
        answer = await server.get()
        received = 0
        async for chunk in answer.chunks():
            assert len(chunk) < 1_000_000
            received += len(chunk)
            if received < 2_000_000:
                await asyncio.sleep(0.01)
        assert received == size
        answer.close()


@pytest.mark.parametrize(
    ("target", "value"),
    [("/v1/voices", "a\r\nx-antiphon-identity: b"), ("/v1/voices HTTP/1.1\r\nx: y", "a"), ("/a b", "c"), ("/", "a\nb")],
)
async def test_nothing_is_smuggled_into_a_request(target: str, value: str) -> None:
    async with _server() as server:
        with pytest.raises(ValueError, match="cannot be sent"):
            await server.pool.get(target, [("x-a", value)], 1)
        assert server.connections == 0


async def test_where_nobody_listens_nothing_is_asked() -> None:
    pool = Pool(f"http://{HOST}:{free_port()}", connect_seconds=1, idle_seconds=30)
    with pytest.raises(NoConnection):
        await pool.get("/", [], 1)
