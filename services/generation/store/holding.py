"""Keeping renditions as they are while somebody decides over them: locks in one order everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import (
    Text,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.generation.store.renditions import RENDITION, Rendition, renditions

_uuid = PgUuid(as_uuid=True)
_LOCK_PLANNING = text("select pg_advisory_xact_lock(hashtextextended('plan ' || cast(:org_id as text), 0))").bindparams(
    bindparam("org_id", type_=_uuid)
)


async def hold_planning(session: AsyncSession, org_id: UUID) -> None:
    """Let nobody else plan a text of the organisation until the transaction ends; before any other lock.

    Pieces that are not there yet cannot be locked in an order: two who bring the same new ones would deadlock.
    """
    await session.execute(_LOCK_PLANNING, {"org_id": org_id})


_LOCK_PIECES = text(
    """
    select s.cache_key from speech_cache s where s.org_id = :org_id and s.cache_key = any(array(
        select c.cache_key from generation_chunks c where c.rendition_id = any(:ids)
        union select unnest(cast(:keys as text[]))))
    order by s.cache_key for update
    """
).bindparams(
    bindparam("org_id", type_=_uuid), bindparam("ids", type_=ARRAY(_uuid)), bindparam("keys", type_=ARRAY(Text))
)
_ARE_OTHERS = text(
    """
    select exists (
        select cache_key from generation_chunks where rendition_id = any(:ids)
        except select unnest(cast(:keys as text[])))
    """
).bindparams(bindparam("ids", type_=ARRAY(_uuid)), bindparam("keys", type_=ARRAY(Text)))


async def hold_renditions(
    session: AsyncSession, org_id: UUID, rendition_ids: Sequence[UUID], cache_keys: Sequence[str] = ()
) -> dict[UUID, Rendition]:
    """Keep renditions of an organisation as they are until the transaction ends, with their pieces and `cache_keys`.

    Locks are taken in one order everywhere, so that nobody waits for somebody who waits for him: pieces by their keys,
    renditions by their ids, then their generations and what is queued for them. Whoever ends a rendition, plans it, or
    changes a generation that waits for it, begins with this; so nothing may be locked before. Those that are not there
    are left out.
    """
    if cache_keys:
        await hold_planning(session, org_id)
    which = {"org_id": org_id, "ids": list(rendition_ids)}
    held = RENDITION.where(renditions.c.id.in_(rendition_ids)).order_by(renditions.c.id).with_for_update()
    while True:
        savepoint = await session.begin_nested()
        locked = [row.cache_key for row in await session.execute(_LOCK_PIECES, which | {"keys": list(cache_keys)})]
        found = {row.id: Rendition(**row._asdict()) for row in await session.execute(held)}
        others = await session.execute(_ARE_OTHERS, {"ids": which["ids"], "keys": locked})
        if not others.scalar_one():
            await savepoint.commit()
            return found
        # It was planned between the two: the locks are given up, and taken again with the new pieces' among them.
        await savepoint.rollback()
