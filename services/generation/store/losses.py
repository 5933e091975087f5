"""Pieces of speech whose objects are lost or damaged: found, forgotten, and wanted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.generation.store.plans import Missing

_uuid = PgUuid(as_uuid=True)


@dataclass(frozen=True, slots=True)
class KeptPiece:
    """A piece whose speech is kept, and what its object was then; `sha256` is None where nobody knows it."""

    org_id: UUID
    cache_key: str
    object_key: str
    samples: int
    sha256: str | None


_KEPT = text(
    """
    select org_id, cache_key, object_key, samples, sha256 from speech_cache
    where object_key is not null and (org_id, cache_key) > (:org_id, :cache_key)
    order by org_id, cache_key limit :limit
    """
).bindparams(bindparam("org_id", type_=_uuid), bindparam("cache_key", type_=Text))
FIRST = (UUID(int=0), "")
"""Before every piece."""


async def list_kept(session: AsyncSession, *, after: tuple[UUID, str], limit: int) -> list[KeptPiece]:
    """Return up to `limit` of the pieces that the transaction sees, by organisation and key, behind `after`."""
    rows = await session.execute(_KEPT, {"org_id": after[0], "cache_key": after[1], "limit": limit})
    return [KeptPiece(**row._asdict()) for row in rows]


_IS_KEPT = text(
    """
    select exists (select from speech_cache
        where org_id = :org_id and cache_key = :cache_key and object_key = :object_key)
    """
).bindparams(bindparam("org_id", type_=_uuid))


async def is_kept(session: AsyncSession, piece: KeptPiece) -> bool:
    """Say whether a piece is still there, with the same object."""
    which = {"org_id": piece.org_id, "cache_key": piece.cache_key, "object_key": piece.object_key}
    return bool((await session.execute(_IS_KEPT, which)).scalar_one())


# Who has the piece has one less of its own, whether it is completed or not: the next to speak it counts it again.
_FORGET = text(
    """
    with lost as (
        update speech_cache set object_key = null, samples = null, sha256 = null
        where org_id = :org_id and cache_key = :cache_key and object_key = :object_key
        returning cache_key
    ), theirs as (
        select rendition_id, count(*) as count from generation_chunks
        where org_id = :org_id and cache_key = :cache_key and exists (select from lost) group by rendition_id
    ), counted as (
        update renditions r set chunks_done = chunks_done - h.count from theirs h where r.id = h.rendition_id
    )
    select exists (select from lost) as is_forgotten
    """
).bindparams(bindparam("org_id", type_=_uuid))


async def forget_piece(session: AsyncSession, org_id: UUID, cache_key: str, object_key: str) -> bool:
    """Forget the speech of a piece, which is held with all who have it; False when it is another by now, or gone."""
    which = {"org_id": org_id, "cache_key": cache_key, "object_key": object_key}
    return bool((await session.execute(_FORGET, which)).scalar_one())


_UNSPOKEN = text(
    """
    select distinct on (c.cache_key) c.cache_key, c.reading, c.characters
    from generation_chunks c join speech_cache s using (org_id, cache_key)
    where c.rendition_id = :id and s.object_key is null order by c.cache_key, c.idx
    """
).bindparams(bindparam("id", type_=_uuid))


async def list_unspoken(session: AsyncSession, rendition_id: UUID) -> Sequence[Missing]:
    """Return the pieces of a rendition of which there is no speech."""
    return [Missing(**row._asdict()) for row in await session.execute(_UNSPOKEN, {"id": rendition_id})]
