"""Small objects in memory: one read for all, bounds of bytes and time, nothing kept of what was deleted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from libs.objectstore import ByteCache, ObjectStoreUnavailable
from libs.objectstore import cache as objectstore_cache
from libs.objectstore.cache import LOADS_AT_ONCE


@dataclass
class Source:
    """An object store whose answers wait until the test lets them go."""

    content: bytes = b"audio"
    reads: int = 0
    error: Exception | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> bytes:
        self.reads += 1
        self.asked.set()
        content = self.content
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return content


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> ByteCache:
    return ByteCache(most_bytes=10, ttl_seconds=60, clock=clock)


async def begun(count: int, cache: ByteCache, source: Source) -> list[asyncio.Task[bytes]]:
    """So many readers, all of them waiting."""
    readers = [asyncio.create_task(cache.get("a", source.read)) for _ in range(count)]
    await source.asked.wait()
    await asyncio.sleep(0)
    return readers


async def test_a_hundred_readers_read_once(cache: ByteCache, source: Source) -> None:
    readers = await begun(100, cache, source)
    source.answers.set()
    assert set(await asyncio.gather(*readers)) == {b"audio"}
    assert await cache.get("a", source.read) == b"audio"
    assert source.reads == 1


async def test_the_others_get_it_when_the_first_goes_away(cache: ByteCache, source: Source) -> None:
    first, *others = await begun(100, cache, source)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.answers.set()
    assert set(await asyncio.gather(*others)) == {b"audio"}
    assert source.reads == 1


async def test_a_failure_reaches_all_and_is_not_kept(cache: ByteCache, source: Source) -> None:
    source.error = ObjectStoreUnavailable("503")
    readers = await begun(3, cache, source)
    source.answers.set()
    failures = await asyncio.gather(*readers, return_exceptions=True)
    assert [type(one) for one in failures] == [ObjectStoreUnavailable] * 3
    source.error = None
    assert await cache.get("a", source.read) == b"audio"


async def test_what_was_kept_long_enough_is_read_again(cache: ByteCache, source: Source, clock: Clock) -> None:
    source.answers.set()
    await cache.get("a", source.read)
    clock.now = 59.9
    await cache.get("a", source.read)
    assert source.reads == 1
    clock.now = 60.0
    await cache.get("a", source.read)
    assert source.reads == 2
    assert cache.size_bytes == len(b"audio")


async def test_what_was_used_last_stays(cache: ByteCache, source: Source) -> None:
    source.answers.set()
    for key in ("a", "b", "a", "c"):
        await cache.get(key, source.read)
    assert cache.size_bytes == 10
    reads = source.reads
    await cache.get("a", source.read)
    assert source.reads == reads
    await cache.get("b", source.read)
    assert source.reads == reads + 1


async def test_what_is_larger_than_all_of_it_is_given_but_not_kept(cache: ByteCache) -> None:
    source = Source(content=b"more than ten")
    source.answers.set()
    assert await cache.get("a", source.read) == b"more than ten"
    assert cache.size_bytes == 0


async def test_nothing_is_kept_of_what_was_deleted_while_it_was_read(cache: ByteCache, source: Source) -> None:
    (reader,) = await begun(1, cache, source)
    cache.forget("a")
    source.answers.set()
    assert await reader == b"audio"
    assert cache.size_bytes == 0


async def test_an_organisations_contents_are_forgotten_together(cache: ByteCache, source: Source) -> None:
    source.answers.set()
    await cache.get("orgs/1/a", source.read)
    await cache.get("orgs/2/a", source.read)
    cache.forget_all("orgs/1/")
    assert cache.size_bytes == len(b"audio")
    await cache.get("orgs/2/a", source.read)
    assert source.reads == 2


async def test_closing_ends_what_is_being_read(cache: ByteCache, source: Source) -> None:
    (reader,) = await begun(1, cache, source)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def test_who_would_wait_for_others_too_long_is_told_so(
    cache: ByteCache, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objectstore_cache, "PLACE_SECONDS", 0.01)
    readers = [asyncio.create_task(cache.get(f"key-{number}", source.read)) for number in range(LOADS_AT_ONCE)]
    await source.asked.wait()
    with pytest.raises(ObjectStoreUnavailable):
        await cache.get("one more", source.read)
    source.answers.set()
    assert await asyncio.gather(*readers) == [source.content] * len(readers)
    assert await cache.get("one more", source.read) == source.content


async def test_no_more_is_read_at_a_time_than_there_is_room_for(cache: ByteCache, source: Source) -> None:
    readers = [asyncio.create_task(cache.get(f"key-{number}", source.read)) for number in range(3 * LOADS_AT_ONCE)]
    await source.asked.wait()
    await asyncio.sleep(0)
    assert source.reads == LOADS_AT_ONCE
    source.answers.set()
    assert await asyncio.gather(*readers) == [source.content] * len(readers)
