"""Audio that is read for the first time, from the object store, and again, from memory: by HTTP, here and there.

Each recording is read in its turn, first without and then with what was kept of it, so that whatever else the machine
does meanwhile hits both alike.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.gateway.load import Client, request_of
from tests.bench.gateway.stage import Stage
from tests.bench.harness import Row, row
from tests.bench.suites.main import text_of_100
from tests.support.api import Api

AGAIN = 20
"""How often each is read once it is in memory."""
AT_ONCE = 16


@dataclass(frozen=True)
class Size:
    """Recordings of one size: `sentences` of 100 characters each."""

    name: str
    format: str
    sentences: int
    count: int


SIZES = (Size("100 characters, mp3", "mp3", 1, 60), Size("1 MB, wav", "wav", 2, 20))


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
    for size in SIZES:
        for where, url, headers in (
            ("the service", stage.service_url("storage"), stage.identity("storage")),
            ("the gateway", stage.stack.url, stage.key),
        ):
            tracks = await _speak(stage, size, number)
            number += size.count * size.sentences
            times = await _read(url, headers, tracks)
            rows += _rows(f"{size.name} ({round(statistics.median(times.bytes) / 1000):,} kB), {where}", times)
    return rows


def _rows(name: str, times: Times) -> list[Row]:
    slower = [first / again for first, again in zip(times.first, times.again, strict=True)]
    return [
        row(f"{name}: read from the object store", times.first, "ms"),
        row(f"{name}: from memory", times.again, "ms"),
        row(f"{name}: times as fast", slower, "x", at_least=5),
    ]


async def _speak(stage: Stage, size: Size, number: int) -> list[str]:
    """Return the ids of new tracks."""
    places = asyncio.Semaphore(AT_ONCE)
    async with Api(stage.stack.url, stage.stack.api_key) as api:
        voices = await api.get("/v1/voices", params={"language": "en-US", "category": "GENERAL"})
        voice = str(voices.json["items"][0]["id"])

        async def one(at: int) -> str:
            first = 4_000_000 + number + at * size.sentences
            text = " ".join(text_of_100(first + offset) for offset in range(size.sentences))
            async with places:
                made = await api.speak(text, voice, format=size.format)
                # Hearing of it is waited for here, and reading it is not what finds it.
                for _ in range(100):
                    listed = await api.get("/v1/tracks", params={"generation_id": made["id"]})
                    if listed.json["items"]:
                        return str(listed.json["items"][0]["id"])
                    await asyncio.sleep(0.05)
            raise RuntimeError("a recording was not kept")

        return await asyncio.gather(*(one(at) for at in range(size.count)))


async def _read(url: str, headers: Mapping[str, str], tracks: Sequence[str]) -> Times:
    times = Times()
    request, host, port = request_of(f"{url}/v1/voices/categories", headers)
    _, client = await asyncio.get_running_loop().create_connection(lambda: _Reader(request, 0.0), host, port)
    for track in tracks:
        path = f"{url}/v1/tracks/{track}/audio"
        first = await client.read(request_of(path, headers)[0])
        again = [await client.read(request_of(path, headers)[0]) for _ in range(AGAIN)]
        times.first.append(first)
        times.again.append(statistics.median(again))
        times.bytes.append(client.size)
    return times


class _Reader(Client):
    """A connection that asks for one thing after the other."""

    size = 0

    async def read(self, request: bytes) -> float:
        """Return how many milliseconds an answer takes until all of it is there."""
        self._request = request
        self.ended = asyncio.get_running_loop().create_future()
        begun = time.perf_counter()
        self.begin()
        await self.ended
        return 1000 * (time.perf_counter() - begun)

    def data_received(self, data: bytes) -> None:
        self.size = len(self._received) + len(data)
        super().data_received(data)
