"""Reading objects once more: whether they are there, and whether they are what they were."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from libs.objectstore.objects import ObjectMissing, ObjectStoreUnavailable
from libs.objectstore.store import ObjectStore

PATIENCE = (0.5, 2.0, 5.0, 10.0)
"""After how many seconds an object is tried again while the object store is away."""

Condition = Literal["missing", "damaged"]
Seen = TypeVar("Seen")
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Flaw(Generic[Kept]):
    """Something kept whose object is not there, or is not what it was."""

    kept: Kept
    condition: Condition


@dataclass(slots=True)
class Checked(Generic[Kept]):
    """What was looked at so far."""

    count: int = 0
    bytes: int = 0
    flaws: list[Flaw[Kept]] = field(default_factory=list)


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


async def check_all(
    list_behind: Callable[[Kept | None], Awaitable[Sequence[Kept]]],
    look: Callable[[Kept], Awaitable[tuple[Condition | None, int]]],
    is_kept: Callable[[Kept], Awaitable[bool]],
) -> AsyncIterator[Checked[Kept]]:
    """Look at everything that is kept, each in an object of its own; yields what was found so far, page by page.

    `list_behind` returns the page behind what was last of the page before, or behind None the first one; an empty page
    ends it. `look` returns the condition and size of an object. What is not kept any more when its object is missing or
    damaged was deleted meanwhile, and is no flaw.
    """
    done, last = Checked[Kept](), None
    while page := await list_behind(last):
        for one in page:
            condition, size = await look(one)
            done.count += 1
            done.bytes += size
            if condition is not None and await is_kept(one):
                done.flaws.append(Flaw(one, condition))
        last = page[-1]
        yield done
    yield done
