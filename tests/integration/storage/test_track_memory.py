"""Small tracks are held in memory, where many readers have them from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from libs.objectstore import ObjectReader, ObjectStore
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Studio, kept, serving
from tests.integration.storage.listing import CONTENT, LARGE, track_of


@dataclass
class Counting(ObjectStore):
    """The object store, and how often it was read."""

    inner: ObjectStore
    reads: list[str] = field(default_factory=list)

    async def get(self, key: str) -> bytes:
        self.reads.append(key)
        # Long enough for all who ask together to have asked.
        await asyncio.sleep(0.2)
        return await self.inner.get(key)

    @asynccontextmanager
    async def open(self, key: str, conditions: Mapping[str, str], *, head: bool = False) -> AsyncIterator[ObjectReader]:
        self.reads.append(key)
        async with self.inner.open(key, conditions, head=head) as reader:
            yield reader


async def test_a_hundred_readers_of_a_new_track_fetch_it_once(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    track_id = await track_of(client, event.generation_id)
    counting = Counting(deps.objects)
    async with serving(replace(deps, objects=counting)) as http:
        reader = Client(http, studio.org_id)
        answers = await asyncio.gather(*(reader.get(f"/v1/tracks/{track_id}/audio") for _ in range(100)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, CONTENT)}
        part = await reader.get(f"/v1/tracks/{track_id}/audio", range="bytes=5-9")
        assert part.body == CONTENT[5:10]
    assert counting.reads == [event.object_key]


async def test_what_is_large_is_not_held_in_memory(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, LARGE)
    track_id = await track_of(client, event.generation_id)
    assert (await client.get(f"/v1/tracks/{track_id}/audio")).body == LARGE
    assert deps.small.size_bytes == 0
