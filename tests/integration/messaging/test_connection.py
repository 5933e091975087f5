"""A lost connection to the broker is logged and made again; one that we close is no loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pytest

from libs.messaging import connect
from tests.support.servers import Servers


@dataclass
class Line:
    """A way to the broker that can be cut."""

    host: str
    port: int
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    carried: list[asyncio.Future[None]] = field(default_factory=list)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.carried.append(asyncio.ensure_future(self.carry(reader, writer)))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self.host, self.port)
        self.writers += [writer, back]
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    def cut(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers.clear()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while content := await reader.read(65536):
        writer.write(content)
    writer.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, str]]:
    broker = urlsplit(url)
    line = Line(str(broker.hostname), int(broker.port or 4222))
    server = await asyncio.start_server(line.take, "127.0.0.1", 0)
    try:
        yield line, f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        line.cut()
        await asyncio.gather(*line.carried)


async def test_a_loss_is_logged_and_a_closing_is_not(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "libs.messaging.connection")
    address = servers.nats("provisioner")
    async with line_to(address.url) as (line, url):
        bus = await connect(replace(address, url=url), "test")
        back = asyncio.Event()
        bus.on_reconnect(back.set)
        line.cut()
        async with asyncio.timeout(10):
            await back.wait()
        assert caplog.messages[-2:] == ["nats connection lost", "nats connection restored"]
        caplog.clear()
        await bus.close()
    assert not caplog.messages
    assert not bus.is_connected
