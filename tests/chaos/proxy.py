"""A TCP proxy between the programs and a server, through which connections can be cut, starved and slowed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SLOW_SECONDS = 0.05
"""How much later each piece of data arrives on a slow link."""
_PIECE = 64 * 1024


class Link:
    """One server's proxy; `target` says at each connection on which port the server listens now."""

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay = 0.0
        self._refuses = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> int:
        """Begin to listen; return the port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Cut everything and listen no more."""
        if self._server is not None:
            self._server.close()
        self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def blackhole(self) -> Iterator[None]:
        """Let nothing through while the block runs; connections stay open and nobody is told."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Deliver everything late while the block runs."""
        self._delay = SLOW_SECONDS
        try:
            yield
        finally:
            self._delay = 0.0

    @contextmanager
    def reset(self) -> Iterator[None]:
        """Reset all connections, and new ones while the block runs."""
        self._refuses = True
        self._cut()
        try:
            yield
        finally:
            self._refuses = False

    def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._refuses:
                writer.transport.abort()
                return
            await self._flows.wait()
            try:
                there, back = await asyncio.open_connection("127.0.0.1", self._target())
            except OSError:
                # As the server itself would refuse.
                writer.transport.abort()
                return
            self._open |= {writer, back}
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        self._open.discard(writer)
        with suppress(OSError, RuntimeError):
            writer.close()
