"""Audio that is read for the first time, from the object store, and again, from memory: by HTTP, here and there.

Each recording is read in its turn, first without and then with what was kept of it, so that whatever else the machine
does meanwhile hits both alike.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from tests.bench.gateway.load import request_of
from tests.bench.gateway.stage import Stage
from tests.bench.harness import Row, row
from tests.bench.suites.main import text_of_100
from tests.support.api import Api

AGAIN = 20
"""How often each is read once it is in memory."""
AT_ONCE = 16
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Size:
    """Recordings of one size: `sentences` of 100 characters each."""

    name: str
    format: str
    sentences: int
    count: int


SIZES = (Size("100 characters, mp3", "mp3", 1, 60), Size("1 MB, wav", "wav", 4, 20))


@dataclass(frozen=True)
class Way:
    """Whom to ask, and for what: `url` has a place for the id of a track, or of a generation."""

    name: str
    url: str
    headers: Callable[[], Mapping[str, str]]


@dataclass(frozen=True)
class Made:
    """A recording that is kept."""

    generation: str
    track: str


@dataclass
class Times:
    """Milliseconds, one each for every recording."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)


async def measure(stage: Stage) -> list[Row]:
    """Read recordings that nobody has read yet, some of the service itself and as many others of the gateway."""
    rows: list[Row] = []
    number = 0
    service = stage.service_url("storage")
    ways = (
        Way("the service", f"{service}/v1/tracks/{{track}}/audio", lambda: stage.identity("storage")),
        Way("the gateway", f"{stage.stack.url}/v1/tracks/{{track}}/audio", lambda: stage.key),
        Way("the gateway, by generation", f"{stage.stack.url}/v1/generations/{{generation}}/audio", lambda: stage.key),
    )
    for size in SIZES:
        for way in ways:
            made = await _speak(stage, size, number)
            number += size.count * size.sentences
            times = await _read(way, made)
            rows += _rows(f"{size.name} ({round(statistics.median(times.bytes) / 1000):,} kB), {way.name}", times)
    return rows


def _rows(name: str, times: Times) -> list[Row]:
    slower = [first / again for first, again in zip(times.first, times.again, strict=True)]
    return [
        row(f"{name}: read from the object store", times.first, "ms"),
        row(f"{name}: from memory", times.again, "ms"),
        row(f"{name}: times as fast", slower, "x", at_least=5),
    ]


async def _speak(stage: Stage, size: Size, number: int) -> list[Made]:
    """Have new recordings made."""
    places = asyncio.Semaphore(AT_ONCE)
    async with Api(stage.stack.url, stage.stack.api_key) as api:
        voices = await api.get("/v1/voices", params={"language": "en-US", "category": "GENERAL"})
        voice = str(voices.json["items"][0]["id"])

        async def one(at: int) -> Made:
            first = 4_000_000 + number + at * size.sentences
            text = " ".join(text_of_100(first + offset) for offset in range(size.sentences))
            async with places:
                made = await api.speak(text, voice, format=size.format)
                # Hearing of it is waited for here, and reading it is not what finds it.
                for _ in range(100):
                    listed = await api.get("/v1/tracks", params={"generation_id": made["id"]})
                    if listed.json["items"]:
                        return Made(str(made["id"]), str(listed.json["items"][0]["id"]))
                    await asyncio.sleep(0.05)
            raise RuntimeError("a recording was not kept")

        return await asyncio.gather(*(one(at) for at in range(size.count)))


async def _read(way: Way, recordings: Sequence[Made]) -> Times:
    times = Times()
    headers = way.headers()
    _, host, port = request_of(way.url, headers)
    _, client = await asyncio.get_running_loop().create_connection(_Reader, host, port)
    for made in recordings:
        url = way.url.format(track=made.track, generation=made.generation)
        request, _, _ = request_of(url, headers)
        first = await client.read(request)
        again = [await client.read(request) for _ in range(AGAIN)]
        times.first.append(first)
        times.again.append(statistics.median(again))
        times.bytes.append(client.size)
    client.close()
    return times


class _Reader(asyncio.Protocol):
    """A connection that asks for one thing after the other, and looks at no more of an answer than its head."""

    def __init__(self) -> None:
        self.size = 0
        self._head = b""
        self._left: int | None = None
        self._whole: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(exc or ConnectionResetError("the server closed the connection"))

    async def read(self, request: bytes) -> float:
        """Return how many milliseconds an answer takes until all of it is there."""
        self._head, self._left = b"", None
        self._whole = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        self._transport.write(request)
        await self._whole
        return 1000 * (time.perf_counter() - begun)

    def data_received(self, data: bytes) -> None:
        assert self._whole is not None
        if self._left is None:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            if not head.startswith(b"HTTP/1.1 200 ") or length is None:
                self._whole.set_exception(RuntimeError(self._head[:300].decode("latin-1")))
                return
            self.size = int(length[1])
            self._left = self.size - len(body)
        else:
            self._left -= len(data)
        if not self._left:
            self._whole.set_result(None)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
