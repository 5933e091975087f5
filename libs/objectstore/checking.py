"""Reading objects once more: whether they are there, and whether they are what they were."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from libs.objectstore.objects import ObjectMissing, ObjectStoreUnavailable
from libs.objectstore.store import ObjectStore

PATIENCE = (0.5, 2.0, 5.0, 10.0)
"""After how many seconds an object is tried again while the object store is away."""

Condition = Literal["missing", "damaged"]
Seen = TypeVar("Seen")


class Pace:
    """Lets no more than so many bytes a second pass, over the long run."""

    def __init__(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second
        self._paid_until = 0.0

    async def spend(self, size: int) -> None:
        """Wait as long as the bytes that passed have to take."""
        now = asyncio.get_running_loop().time()
        self._paid_until = max(self._paid_until, now) + size / self._bytes_per_second
        await asyncio.sleep(self._paid_until - now)


async def condition_of(objects: ObjectStore, key: str, sha256: str, size: int | None, pace: Pace) -> Condition | None:
    """Read an object, however large, and compare its SHA-256 (hexadecimal); None: it is what it was.

    So are its `size` bytes, where they are known. Raises ObjectStoreUnavailable.
    """
    digest, read = hashlib.sha256(), 0
    try:
        async with objects.open(key, {}) as reader:
            async for chunk in reader.chunks:
                digest.update(chunk)
                read += len(chunk)
                await pace.spend(len(chunk))
    except ObjectMissing:
        return "missing"
    return None if digest.hexdigest() == sha256 and size in (None, read) else "damaged"


async def patiently(look: Callable[[], Awaitable[Seen]]) -> Seen:
    """Return what `look` returns; it is tried again while the object store is away. Raises ObjectStoreUnavailable."""
    for seconds in PATIENCE:
        try:
            return await look()
        except ObjectStoreUnavailable:
            await asyncio.sleep(seconds)
    return await look()


async def require_some(objects: ObjectStore, prefix: str) -> None:
    """Raise ObjectStoreUnavailable where nothing lies under a prefix.

    A wrong bucket is likelier than that everything is gone, and nobody wants everything made again.
    """
    if not await objects.list_page(prefix, limit=1):
        raise ObjectStoreUnavailable(f"there is nothing at all under {prefix}")
