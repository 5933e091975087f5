"""Small objects in memory: read once, however many ask for them at the same time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opentelemetry import metrics

from libs.objectstore.objects import ObjectStoreUnavailable

_meter = metrics.get_meter("antiphon.objectstore")
_reads = _meter.create_counter(
    "antiphon.object_cache.reads", description="Reads of small objects: hit, miss, or shared with one under way"
)
_held = _meter.create_gauge("antiphon.object_cache.bytes", unit="By", description="Bytes that are held in memory")
LOADS_AT_ONCE = 32
"""What is being read is in memory, too, and not counted yet: so many are read at a time."""
PLACE_SECONDS = 5.0
"""How long it is waited for one of them to have been read."""
_HIT, _MISS, _SHARED = ({"result": result} for result in ("hit", "miss", "shared"))


@dataclass(frozen=True, slots=True)
class _Kept:
    content: bytes
    until: float


class ByteCache:
    """Contents by their keys, `most_bytes` together, each for `ttl_seconds`; what was used last goes last.

    For contents that never change under their key. Of many who ask for the same one reads, and all get what it reads;
    when whoever began goes away, the others get it all the same. What failed is not kept.
    """

    def __init__(self, *, most_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds from anywhere."""
        self._most_bytes = most_bytes
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._bytes = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._loading: dict[str, asyncio.Task[bytes]] = {}
        self._places = asyncio.Semaphore(LOADS_AT_ONCE)

    @property
    def size_bytes(self) -> int:
        """How many bytes are held."""
        return self._bytes

    def held(self, key: str) -> bytes | None:
        """Return what lies under a key if it is here, for whoever would read it in another way otherwise."""
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock():
            return None
        self._kept.move_to_end(key)
        _reads.add(1, _HIT)
        return kept.content

    async def get(self, key: str, load: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return what lies under a key; `load` reads it if it is not here. Raises what `load` does."""
        held = self.held(key)
        if held is not None:
            return held
        loading = self._loading.get(key)
        _reads.add(1, _SHARED if loading else _MISS)
        if loading is None:
            # A task of its own: it does not end with the request that began it.
            loading = asyncio.create_task(self._load(key, load))
            loading.add_done_callback(_look_at)
            self._loading[key] = loading
        return await asyncio.shield(loading)

    async def _load(self, key: str, load: Callable[[], Awaitable[bytes]]) -> bytes:
        this = asyncio.current_task()
        try:
            await self._take_place()
            try:
                content = await load()
            finally:
                self._places.release()
            if self._loading.get(key) is this:
                self._keep(key, content)
            return content
        finally:
            if self._loading.get(key) is this:
                del self._loading[key]

    async def _take_place(self) -> None:
        """Raises ObjectStoreUnavailable: where nothing is read for so long, waiting longer does not help."""
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise ObjectStoreUnavailable("too many objects are being read") from None

    def _keep(self, key: str, content: bytes) -> None:
        self._drop(key)
        if len(content) <= self._most_bytes:
            self._kept[key] = _Kept(content, self._clock() + self._ttl_seconds)
            self._bytes += len(content)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))
        _held.set(self._bytes)

    def _drop(self, key: str) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= len(kept.content)

    def forget(self, key: str) -> None:
        """Hold nothing more under a key, nor what is just being read."""
        self._loading.pop(key, None)
        self._drop(key)
        _held.set(self._bytes)

    def forget_all(self, prefix: str) -> None:
        """Hold nothing more under the keys that begin with `prefix`."""
        for key in [key for key in (*self._kept, *self._loading) if key.startswith(prefix)]:
            self.forget(key)

    async def close(self) -> None:
        """Stop what is being read."""
        tasks = list(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _look_at(task: asyncio.Task[bytes]) -> None:
    """Nobody may be left whom a failure concerns; then it is no news."""
    if not task.cancelled():
        task.exception()
