"""Reading the pieces that a rendition is made of; those that are lost or damaged are spoken again."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

from libs.messaging import signal
from libs.objectstore import ObjectMissing
from libs.speech.kept import KeptChunk, unpack
from services.generation.domain import signals
from services.generation.domain.pieces import PieceDamaged, whole_piece
from services.generation.rendering.deps import WorkerDeps
from services.generation.store import chunks, holding, queue, renditions
from services.generation.usecases import planning, respeaking

logger = logging.getLogger(__name__)

PAGE = 64
"""Chunks that are looked up at once."""
AHEAD = 16
"""Chunks that are read ahead of the one that is being joined."""


class PieceLost(Exception):
    """A piece is not spoken, or its object is not there, or is not what was kept."""


async def _list_chunks(deps: WorkerDeps, rendition: renditions.Rendition) -> AsyncIterator[chunks.Chunk]:
    since = 0
    while True:
        async with deps.database.transaction(rendition.org_id) as session:
            page = await chunks.list_chunks(session, rendition.id, since=since, limit=PAGE)
        for chunk in page:
            yield chunk
        if len(page) < PAGE:
            return
        since = page[-1].idx + 1


async def read_chunks(
    deps: WorkerDeps, rendition: renditions.Rendition
) -> AsyncIterator[tuple[chunks.Chunk, KeptChunk]]:
    """Yield the chunks of a rendition in their order, the next AHEAD of them read ahead. Raises PieceLost."""
    reading: deque[tuple[chunks.Chunk, asyncio.Task[KeptChunk]]] = deque()
    try:
        async for chunk in _list_chunks(deps, rendition):
            reading.append((chunk, asyncio.create_task(_read(deps, chunk))))
            if len(reading) > AHEAD:
                first, content = reading.popleft()
                yield first, await content
        while reading:
            first, content = reading.popleft()
            yield first, await content
    finally:
        left = [content for _, content in reading]
        for content in left:
            content.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _read(deps: WorkerDeps, chunk: chunks.Chunk) -> KeptChunk:
    if chunk.object_key is None:
        raise PieceLost
    if (recent := deps.recent.take(chunk.object_key)) is not None:
        return unpack(recent)
    try:
        content = await deps.objects.get(chunk.object_key)
        return whole_piece(content, sha256=chunk.sha256, samples=chunk.samples)
    except (ObjectMissing, PieceDamaged) as error:
        raise PieceLost from error


async def respeak_lost(deps: WorkerDeps, work: queue.Work) -> None:
    """Have all that is lost of a rendition spoken again, instead of assembling it; it is assembled then.

    Raises ObjectStoreUnavailable.
    """
    async with deps.database.transaction(work.org_id) as session:
        rendition = await renditions.get_rendition(session, work.rendition_id)
    lost = [] if rendition is None else await _list_lost(deps, rendition)
    async with deps.database.transaction(work.org_id) as session:
        held = await respeaking.hold_all(session, work.org_id, [cache_key for cache_key, _ in lost])
        if not lost:
            held = await holding.hold_renditions(session, work.org_id, [work.rendition_id])
        if not await queue.finish(session, work, deps.worker_id):
            return
        current = held.get(work.rendition_id)
        if current is None or current.status != "pending":
            return
        count = await respeaking.respeak_pieces(
            session, current, [(key, object_key) for key, object_key in lost if object_key], work.most_at_once
        )
        if not count:
            # Others have had them spoken meanwhile.
            await queue.enqueue(session, [planning.assembly(current, work.most_at_once)])
    facts = {"rendition_id": str(work.rendition_id), "pieces": count}
    logger.warning("pieces were lost, and are spoken again", extra=facts)
    await signal(deps.bus, signals.WORK)


async def _list_lost(deps: WorkerDeps, rendition: renditions.Rendition) -> list[tuple[str, str | None]]:
    lost: list[tuple[str, str | None]] = []
    async for chunk in _list_chunks(deps, rendition):
        try:
            await _read(deps, chunk)
        except PieceLost:
            lost.append((chunk.cache_key, chunk.object_key))
    return lost
