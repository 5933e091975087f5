"""The object store's client on the real server: what is written in parts, and what is known without reading."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from libs.ids import new_id
from libs.objectstore import ObjectMissing, ObjectStore
from libs.objectstore.store import PART_BYTES


def key() -> str:
    return f"generations/orgs/{new_id()}/{new_id()}/object.bin"


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for number, size in enumerate(sizes):
        yield bytes([number % 251]) * size


async def gathered(*sizes: int) -> bytes:
    return b"".join([piece async for piece in pieces(*sizes)])


@pytest.mark.parametrize(
    "sizes",
    [(), (10, 20), (PART_BYTES,), (PART_BYTES - 1, 2, PART_BYTES), (3 * PART_BYTES + 5,)],
    ids=["nothing", "little", "one part", "uneven", "one large piece"],
)
async def test_what_is_written_while_it_is_made_is_there_as_a_whole(
    objects: ObjectStore, sizes: tuple[int, ...]
) -> None:
    content = await gathered(*sizes)
    place = key()
    stored = await objects.put_parts(place, pieces(*sizes), "audio/wav")
    assert (stored.sha256, stored.size) == (hashlib.sha256(content).hexdigest(), len(content))
    if stored.md5:
        assert await objects.is_unchanged(place, stored.md5, stored.size) is True
    assert bool(stored.md5) == (stored.size < PART_BYTES)
    assert await objects.get(place) == content
    async with objects.open(place, {}, head=True) as reader:
        assert reader.headers["content-type"] == "audio/wav"


async def test_nothing_stays_of_what_breaks_off(objects: ObjectStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(PART_BYTES + 1)
        raise RuntimeError("no more")

    place = key()
    with pytest.raises(RuntimeError, match="no more"):
        await objects.put_parts(place, broken(), "audio/wav")
    assert not await objects.exists(place)


async def test_the_store_knows_whether_its_content_is_the_one_that_was_written(objects: ObjectStore) -> None:
    place = key()
    digests = await objects.put_checked(place, b"what was spoken", "audio/wav")
    assert digests.sha256 == hashlib.sha256(b"what was spoken").hexdigest()
    assert await objects.is_unchanged(place, digests.md5, 15) is True
    assert await objects.is_unchanged(place, digests.md5, 14) is False
    await objects.put(place, b"what was SPOKEN", "audio/wav")
    assert await objects.is_unchanged(place, digests.md5, 15) is False


async def test_what_was_written_in_parts_is_known_by_reading_only(objects: ObjectStore) -> None:
    place = key()
    await objects.put_parts(place, pieces(PART_BYTES, 1), "audio/wav")
    assert await objects.is_unchanged(place, "0" * 32, PART_BYTES + 1) is None


async def test_what_is_not_there_is_neither(objects: ObjectStore) -> None:
    with pytest.raises(ObjectMissing):
        await objects.is_unchanged(key(), "0" * 32, 1)
