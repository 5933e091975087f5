"""What tracks refer to, looked at from the side of the objects, and tracks whose objects are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.storage.store.tables import lost_tracks, tracks


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """A track, and what its objects were when they were kept."""

    id: UUID
    generation_id: UUID
    org_id: UUID
    object_key: str
    alignment_key: str | None
    sha256: str
    size_bytes: int


async def list_stored(session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[StoredTrack]:
    """Return up to `limit` of the tracks that the transaction sees, by their ids, behind `after`."""
    statement = select(*(tracks.c[name] for name in StoredTrack.__slots__)).order_by(tracks.c.id).limit(limit)
    if after is not None:
        statement = statement.where(tracks.c.id > after)
    return [StoredTrack(**row._asdict()) for row in await session.execute(statement)]


async def is_stored(session: AsyncSession, track: StoredTrack) -> bool:
    """Say whether the track is still there, with the same objects."""
    statement = select(exists().where(tracks.c.id == track.id, tracks.c.object_key == track.object_key))
    return bool((await session.execute(statement)).scalar_one())


async def list_referenced(session: AsyncSession, org_id: UUID, keys: Sequence[str]) -> set[str]:
    """Return those of an organisation's object keys to which a track refers."""
    statement = select(tracks.c.object_key, tracks.c.alignment_key).where(
        tracks.c.org_id == org_id, or_(tracks.c.object_key.in_(keys), tracks.c.alignment_key.in_(keys))
    )
    return {key for row in await session.execute(statement) for key in row if key is not None}


async def lose_track(session: AsyncSession, track: StoredTrack, *, now: datetime) -> bool:
    """Take a track away, if it is still the same, until its audio is made again; say whether it was there."""
    gone = await session.execute(
        delete(tracks)
        .where(tracks.c.id == track.id, tracks.c.object_key == track.object_key)
        .returning(tracks.c.generation_id)
    )
    if gone.first() is None:
        return False
    await session.execute(
        insert(lost_tracks).values(
            generation_id=track.generation_id,
            org_id=track.org_id,
            track_id=track.id,
            object_key=track.object_key,
            lost_at=now,
        )
    )
    return True


async def is_lost(
    session: AsyncSession, org_id: UUID, *, generation_id: UUID | None = None, track_id: UUID | None = None
) -> bool:
    """Say whether the audio of a generation, or of a track, is lost."""
    which = or_(lost_tracks.c.generation_id == generation_id, lost_tracks.c.track_id == track_id)
    return bool((await session.execute(select(exists().where(lost_tracks.c.org_id == org_id, which)))).scalar_one())


async def count_lost(session: AsyncSession) -> int:
    """Return how many tracks that the transaction sees are lost."""
    return int((await session.execute(select(func.count()).select_from(lost_tracks))).scalar_one())
