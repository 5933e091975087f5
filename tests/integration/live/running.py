"""Events on the broker, and clients that are told them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import orjson
from google.protobuf.message import Message

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.ids import new_id
from libs.messaging import Bus
from tests.support import broker


@contextlib.asynccontextmanager
async def running(action: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run `action` beside the block."""

    async def run() -> None:
        await action()

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def completed(org_id: UUID, generation_id: UUID | None = None) -> GenerationCompleted:
    return GenerationCompleted(
        generation_id=str(generation_id or new_id()),
        org_id=str(org_id),
        text="What nobody else should read.",
        characters=29,
        format="mp3_44100_128",
    )


async def publish(bus: Bus, event: Message, headers: Mapping[str, str] | None = None) -> str:
    """Publish as the relays do; return the event's id."""
    return str((await broker.publish(bus, event, headers=headers)).event_id)


@dataclass
class Block:
    """What a client of an event stream hands out."""

    event: str
    data: dict[str, Any]
    id: str | None


@dataclass
class Listener:
    """A client of an event stream that follows the specification."""

    response: aiohttp.ClientResponse
    last_event_id: str | None = None
    comments: list[str] = field(default_factory=list)

    async def next(self, seconds: float = 10.0) -> Block | None:
        """Return the next event; None at the end of the stream."""
        event, data, found_id = "message", b"", None
        async with asyncio.timeout(seconds):
            while line := await self.response.content.readline():
                name, _, value = line.rstrip(b"\n").partition(b": ")
                match name:
                    case b"" if value:
                        self.comments.append(value.decode())
                    case b"id":
                        found_id = value.decode()
                    case b"event":
                        event = value.decode()
                    case b"data":
                        data += value
                    case b"":
                        self.last_event_id = found_id or self.last_event_id
                        if data:
                            return Block(event, orjson.loads(data), found_id)
                        event, found_id = "message", None
                    case _:
                        assert name == b"retry", line
        return None

    async def ids(self, count: int) -> list[str]:
        """Return the ids of the next `count` events, as they stand in their JSON."""
        found = []
        for _ in range(count):
            block = await self.next()
            assert block is not None
            found.append(block.data["id"])
        return found

    async def until_placed(self) -> None:
        """Wait until the client knows where it is: from then on it is told everything."""
        async with asyncio.timeout(10):
            while not self.last_event_id:
                line = await self.response.content.readline()
                assert line, "the stream ended"
                if line.startswith(b"id: "):
                    self.last_event_id = line[4:].strip().decode()


@contextlib.asynccontextmanager
async def listening(
    url: str, headers: Mapping[str, str], last_event_id: str | None = None, **query: str
) -> AsyncIterator[Listener]:
    """Listen to the events of a gateway."""
    sent = dict(headers) | ({"Last-Event-ID": last_event_id} if last_event_id else {})
    async with (
        aiohttp.ClientSession(url) as session,
        session.get("/v1/events", headers=sent, params=query) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        listener = Listener(response)
        if last_event_id is None:
            await listener.until_placed()
        yield listener
