"""What was deleted, so that nothing late brings it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from services.storage.store.tables import lost_tracks, tombstones, tracks

# Of what a tombstone has and what comes anew, each key once: it must not grow with every time that it is told.
_UNITED_KEYS = text("array(select distinct unnest(deleted_generations.object_keys || excluded.object_keys) order by 1)")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted generation: the objects that have to go with it, and how many bytes its track had."""

    object_keys: Sequence[str]
    size_bytes: int


async def is_deleted(session: AsyncSession, generation_id: UUID) -> bool:
    """Say whether the generation is gone for good."""
    statement = select(exists().where(tombstones.c.generation_id == generation_id))
    return bool((await session.execute(statement)).scalar_one())


async def bury_generation(
    session: AsyncSession, org_id: UUID, generation_id: UUID, object_keys: Sequence[str], *, now: datetime
) -> Tombstone:
    """Delete the track, remember that the generation is gone, and return what has to be deleted with it.

    Doing so again returns the same and more, never less: the objects of the first time may still be there.
    """
    gone = (
        await session.execute(
            delete(tracks)
            .where(tracks.c.generation_id == generation_id, tracks.c.org_id == org_id)
            .returning(tracks.c.object_key, tracks.c.alignment_key, tracks.c.size_bytes)
        )
    ).one_or_none()
    await session.execute(
        delete(lost_tracks).where(lost_tracks.c.generation_id == generation_id, lost_tracks.c.org_id == org_id)
    )
    keys = [*object_keys, *([gone.object_key] if gone else [])]
    if gone and gone.alignment_key:
        keys.append(gone.alignment_key)
    statement = upsert(tombstones).values(
        generation_id=generation_id,
        org_id=org_id,
        object_keys=sorted(set(keys)),
        size_bytes=gone.size_bytes if gone else 0,
        deleted_at=now,
    )
    new = statement.excluded
    row = (
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=[tombstones.c.generation_id],
                set_={
                    "object_keys": _UNITED_KEYS,
                    "size_bytes": tombstones.c.size_bytes + new.size_bytes,
                },
            ).returning(tombstones.c.object_keys, tombstones.c.size_bytes)
        )
    ).one()
    return Tombstone(row.object_keys, row.size_bytes)
