"""Reading what is kept once more: whether it is there, and whether it is what it was."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from libs import outbox
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioLost
from libs.database import Database
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreUnavailable
from services.storage.domain.audio import AudioRefused
from services.storage.store import patrol, tracks
from services.storage.store.patrol import StoredTrack
from services.storage.usecases.finding import read_object_alignment

OBJECTS = "generations/"
TRACKS_AT_ONCE = 100
PATIENCE = (0.5, 2.0, 5.0, 10.0)
"""After how many seconds an object is tried again while the object store is away."""

Condition = Literal["missing", "damaged"]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A track whose audio or alignment is not there, or is not what was kept."""

    track: StoredTrack
    object_key: str
    condition: Condition


@dataclass(slots=True)
class Verified:
    """What was looked at so far."""

    tracks: int = 0
    bytes: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    lost: int = 0
    """Tracks that were lost before, and are not made again yet."""


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


async def verify(database: Database, objects: ObjectStore, pace: Pace) -> AsyncIterator[Verified]:
    """Read the objects of every track that `database` shows; yields what was found so far, now and then.

    Safe beside a system that runs: what is deleted meanwhile is no flaw. Raises ObjectStoreUnavailable when the object
    store stays away, or is another.
    """
    done = Verified()
    after = None
    is_empty = not await objects.list_page(OBJECTS, limit=1)
    while True:
        async with database.transaction() as session:
            page = await patrol.list_stored(session, after=after, limit=TRACKS_AT_ONCE)
            done.lost = await patrol.count_lost(session)
        if not page:
            break
        if is_empty:
            # A wrong bucket is likelier than that everything is gone, and nobody wants everything made again.
            raise ObjectStoreUnavailable(f"there is nothing at all under {OBJECTS}")
        done.flaws += await _still_there(
            database, [flaw for track in page for flaw in await _look(objects, track, pace)]
        )
        done.tracks += len(page)
        done.bytes += sum(track.size_bytes for track in page)
        after = page[-1].id
        yield done
    yield done


async def _still_there(database: Database, flaws: Sequence[Flaw]) -> list[Flaw]:
    if not flaws:
        return []
    async with database.transaction() as session:
        return [flaw for flaw in flaws if await patrol.is_stored(session, flaw.track)]


async def _look(objects: ObjectStore, track: StoredTrack, pace: Pace) -> list[Flaw]:
    for seconds in PATIENCE:
        try:
            return await _flaws(objects, track, pace)
        except ObjectStoreUnavailable:
            await asyncio.sleep(seconds)
    return await _flaws(objects, track, pace)


async def _flaws(objects: ObjectStore, track: StoredTrack, pace: Pace) -> list[Flaw]:
    flaws = []
    if (condition := await _condition_of_audio(objects, track, pace)) is not None:
        flaws.append(Flaw(track, track.object_key, condition))
    if (key := track.alignment_key) is not None and (condition := await _condition_of_alignment(objects, key)):
        flaws.append(Flaw(track, key, condition))
    return flaws


async def _condition_of_audio(objects: ObjectStore, track: StoredTrack, pace: Pace) -> Condition | None:
    digest, size = hashlib.sha256(), 0
    try:
        async with objects.open(track.object_key, {}) as reader:
            async for chunk in reader.chunks:
                digest.update(chunk)
                size += len(chunk)
                await pace.spend(len(chunk))
    except ObjectMissing:
        return "missing"
    return None if (digest.hexdigest(), size) == (track.sha256, track.size_bytes) else "damaged"


async def _condition_of_alignment(objects: ObjectStore, key: str) -> Condition | None:
    try:
        await read_object_alignment(objects, key)
    except ObjectMissing:
        return "missing"
    except AudioRefused:
        return "damaged"
    return None


async def order_repair(database: Database, track: StoredTrack, *, now: datetime) -> bool:
    """Have lost audio made again; until then its track is not there. False when it is another by now, or gone."""
    async with database.transaction(track.org_id, holding=tracks.locking(track.generation_id)) as session:
        if not await patrol.lose_track(session, track, now=now):
            return False
        outbox.add(
            session,
            AudioLost(
                generation_id=str(track.generation_id),
                org_id=str(track.org_id),
                object_key=track.object_key,
                lost_at=now,
            ),
        )
    return True
