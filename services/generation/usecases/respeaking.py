"""Pieces whose objects are lost or damaged are spoken again; nobody pays for that."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database
from services.generation.domain.speech import Spec
from services.generation.store import chunks, holding, losses, queue, renditions
from services.generation.usecases import planning


async def respeak_pieces(
    session: AsyncSession,
    held: renditions.Rendition,
    lost: Sequence[tuple[str, str]],
    most_at_once: int,
    *,
    priority: int | None = None,
) -> int:
    """Forget pieces, as (cache key, object key), and queue all that is unspoken of a rendition; return how much it is.

    The rendition is held, with everybody who has those pieces. As soon as they are spoken it is assembled, if it is to
    be made.
    """
    for cache_key, object_key in lost:
        await losses.forget_piece(session, held.org_id, cache_key, object_key)
    unspoken = await losses.list_unspoken(session, held.id)
    spec = Spec.from_json(held.spec)
    await queue.enqueue(session, [planning.piece(held, spec, one, most_at_once, priority) for one in unspoken])
    return len(unspoken)


async def hold_all(session: AsyncSession, org_id: UUID, cache_keys: Sequence[str]) -> dict[UUID, renditions.Rendition]:
    """Keep pieces and all renditions that have one of them as they are until the transaction ends."""
    # Before anything else: from here on nobody more comes to want them.
    await holding.hold_planning(session, org_id)
    having = {one for key in cache_keys for one in await chunks.list_wanting(session, org_id, key)}
    return await holding.hold_renditions(session, org_id, sorted(having), sorted(set(cache_keys)))


async def order_piece(database: Database, piece: losses.KeptPiece) -> bool:
    """Have a lost or damaged piece spoken again; False when it is another by now, or gone."""
    async with database.transaction(piece.org_id) as session:
        held = await hold_all(session, piece.org_id, [piece.cache_key])
        if not held or not await losses.is_kept(session, piece):
            return False
        # Whoever waits for it waits no longer than it takes; if nobody does, it is work like that of a job.
        waiting = [one for one in held.values() if one.status == "pending"]
        chosen = (waiting or list(held.values()))[0]
        priority = None if waiting else queue.JOB
        lost = [(piece.cache_key, piece.object_key)]
        await respeak_pieces(session, chosen, lost, queue.UNLIMITED if waiting else 1, priority=priority)
    return True
