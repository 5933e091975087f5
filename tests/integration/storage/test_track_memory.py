"""Small tracks are held in memory, where many readers have them from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from libs.objectstore import ByteCache, ObjectReader, ObjectStore
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Studio, kept, serving
from tests.integration.storage.listing import CONTENT, LARGE, track_of

READERS = 100


class Shared(ByteCache):
    """The memory of small objects, which notices when all readers have asked it."""

    def __init__(self) -> None:
        super().__init__(most_bytes=2**20, ttl_seconds=60)
        self.asked = 0
        self.all_asked = asyncio.Event()

    async def get(self, key: str, load: Callable[[], Awaitable[bytes]]) -> bytes:
        self.asked += 1
        if self.asked >= READERS:
            self.all_asked.set()
        return await super().get(key, load)


@dataclass
class Counting(ObjectStore):
    """The object store, how often it was read, and for what its answers wait."""

    inner: ObjectStore
    may_answer: asyncio.Event
    reads: list[str] = field(default_factory=list)

    async def get(self, key: str) -> bytes:
        self.reads.append(key)
        await asyncio.wait_for(self.may_answer.wait(), 10)
        return await self.inner.get(key)

    @asynccontextmanager
    async def open(self, key: str, conditions: Mapping[str, str], *, head: bool = False) -> AsyncIterator[ObjectReader]:
        self.reads.append(key)
        async with self.inner.open(key, conditions, head=head) as reader:
            yield reader


async def test_a_hundred_readers_of_a_new_track_fetch_it_once(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    track_id = await track_of(client, event.generation_id)
    shared = Shared()
    counting = Counting(deps.objects, shared.all_asked)
    async with serving(replace(deps, objects=counting, small=shared)) as http:
        reader = Client(http, studio.org_id)
        answers = await asyncio.gather(*(reader.get(f"/v1/tracks/{track_id}/audio") for _ in range(READERS)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, CONTENT)}
        part = await reader.get(f"/v1/tracks/{track_id}/audio", range="bytes=5-9")
        assert part.body == CONTENT[5:10]
    assert counting.reads == [event.object_key]


async def test_what_is_large_is_not_held_in_memory(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, LARGE)
    track_id = await track_of(client, event.generation_id)
    assert (await client.get(f"/v1/tracks/{track_id}/audio")).body == LARGE
    assert deps.small.size_bytes == 0
