"""Which objects this service refers to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.generation.domain.speech import Place

_uuid = PgUuid(as_uuid=True)
_REFERENCED = text(
    """
    select object_key from renditions where id = any(:ids) and object_key is not null
    union all select alignment_key from renditions where id = any(:ids) and alignment_key is not null
    union all select object_key from speech_cache
        where org_id = :org_id and cache_key = any(:cache_keys) and object_key is not null
    """
).bindparams(
    bindparam("ids", type_=ARRAY(_uuid)),
    bindparam("org_id", type_=_uuid),
    bindparam("cache_keys", type_=ARRAY(Text)),
)


async def list_referenced(session: AsyncSession, org_id: UUID, places: Sequence[Place]) -> set[str]:
    """Return the keys of the objects of an organisation's renditions and pieces that lie at these places."""
    which = {
        "org_id": org_id,
        "ids": list({one.rendition_id for one in places if one.rendition_id}),
        "cache_keys": list({one.cache_key for one in places if one.cache_key}),
    }
    return set((await session.execute(_REFERENCED, which)).scalars())
