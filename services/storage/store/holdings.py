"""How many bytes organisations have here, thing by thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

_uuid = PgUuid(as_uuid=True)


@dataclass(frozen=True, slots=True)
class Held:
    """Audio, by the id under which events tell it, or media."""

    id: UUID
    org_id: UUID
    size_bytes: int


_HELD = text(
    """
    (select generation_id as id, org_id, size_bytes from audio_tracks where generation_id > :after
        order by generation_id limit :limit)
    union all
    (select id, org_id, size_bytes from media_assets where id > :after order by id limit :limit)
    order by id limit :limit
    """
).bindparams(bindparam("after", type_=_uuid))
_KNOWN = text(
    """
    select generation_id as id from audio_tracks where generation_id = any(:ids)
    union all select generation_id from lost_tracks where generation_id = any(:ids)
    union all select id from media_assets where id = any(:ids)
    """
).bindparams(bindparam("ids", type_=ARRAY(_uuid)))


async def list_held(session: AsyncSession, *, after: UUID, limit: int) -> list[Held]:
    """Return up to `limit` of the things that the transaction sees, by their ids, behind `after`."""
    rows = await session.execute(_HELD, {"after": after, "limit": limit})
    return [Held(**row._asdict()) for row in rows]


async def list_known(session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these ids under which there is something, or will be again."""
    return set((await session.execute(_KNOWN, {"ids": list(ids)})).scalars())
