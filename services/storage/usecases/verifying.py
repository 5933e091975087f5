"""Reading what is kept once more: whether it is there, and whether it is what it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from libs import outbox
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioLost
from libs.database import Database
from libs.objectstore import ObjectMissing, ObjectStore
from libs.objectstore.checking import Checked, Condition, Pace, check_all, condition_of, patiently, require_some
from services.storage.domain.audio import AudioRefused
from services.storage.domain.uploads import MediaAsset
from services.storage.store import media, patrol, tracks
from services.storage.store.patrol import StoredTrack
from services.storage.usecases.finding import read_object_alignment

OBJECTS = "generations/"
TRACKS_AT_ONCE = MEDIA_AT_ONCE = 100


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


async def verify(database: Database, objects: ObjectStore, pace: Pace) -> AsyncIterator[Verified]:
    """Read the objects of every track that `database` shows; yields what was found so far, now and then.

    Safe beside a system that runs: what is deleted meanwhile is no flaw. Raises ObjectStoreUnavailable when the object
    store stays away, or is another.
    """
    done = Verified()
    after = None
    while True:
        async with database.transaction() as session:
            page = await patrol.list_stored(session, after=after, limit=TRACKS_AT_ONCE)
            done.lost = await patrol.count_lost(session)
        if not page:
            break
        if after is None:
            await require_some(objects, OBJECTS)
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
    return await patiently(partial(_flaws, objects, track, pace))


async def _flaws(objects: ObjectStore, track: StoredTrack, pace: Pace) -> list[Flaw]:
    flaws = []
    condition = await condition_of(objects, track.object_key, track.sha256, track.size_bytes, pace)
    if condition is not None:
        flaws.append(Flaw(track, track.object_key, condition))
    if (key := track.alignment_key) is not None and (condition := await _condition_of_alignment(objects, key)):
        flaws.append(Flaw(track, key, condition))
    return flaws


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


VerifiedMedia = Checked[MediaAsset]


def verify_media(database: Database, objects: ObjectStore, pace: Pace) -> AsyncIterator[VerifiedMedia]:
    """Read every file that clients have brought, as `verify` does. What is lost of them nobody can make again."""
    return check_all(
        partial(_list_behind, database), partial(_look_at_media, objects, pace), partial(_is_kept, database)
    )


async def _list_behind(database: Database, last: MediaAsset | None) -> Sequence[MediaAsset]:
    async with database.transaction() as session:
        return await media.list_all(session, after=None if last is None else last.id, limit=MEDIA_AT_ONCE)


async def _look_at_media(objects: ObjectStore, pace: Pace, asset: MediaAsset) -> tuple[Condition | None, int]:
    read = partial(condition_of, objects, asset.object_key, asset.sha256, asset.size_bytes, pace)
    return await patiently(read), asset.size_bytes


async def _is_kept(database: Database, asset: MediaAsset) -> bool:
    async with database.transaction() as session:
        return await media.get_media(session, asset.org_id, asset.id) is not None
