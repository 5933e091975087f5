"""Writing down what was made, unless nobody wants it any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.database import is_database_away
from libs.objectstore import ObjectStoreUnavailable
from services.generation.adapters import tell_of_audio
from services.generation.rendering.deps import WorkerDeps
from services.generation.store import queue, recordings, renditions
from services.generation.usecases.events import completed_event

logger = logging.getLogger(__name__)


@asynccontextmanager
async def uploading(deps: WorkerDeps, work: queue.Work) -> AsyncIterator[list[str]]:
    """Yield a list for the keys of what is uploaded: what is not written down in the end is removed again.

    Also when the work is stopped or fails in between.
    """
    keys: list[str] = []
    try:
        yield keys
    except BaseException:
        if keys:
            await asyncio.shield(_remove_unless_kept(deps, work, keys))
        raise


async def _remove_unless_kept(deps: WorkerDeps, work: queue.Work, keys: Sequence[str]) -> None:
    try:
        kept = await _kept(deps, work)
        for key in set(keys) - kept:
            await deps.objects.delete(key)
    except Exception as error:
        if not (isinstance(error, ObjectStoreUnavailable) or is_database_away(error)):
            raise
        # Better an object too many than one missing.
        logger.warning(
            "what was uploaded in vain may stay", extra={"error": type(error).__name__, "objects": len(keys)}
        )


async def _kept(deps: WorkerDeps, work: queue.Work) -> set[str]:
    async with deps.database.transaction(work.org_id) as session:
        # A commit whose answer was lost may still be on its way: it has the work's row, which is waited for.
        await queue.lock(session, work.id)
        return await renditions.list_objects(session, work.org_id, work.rendition_id, work.cache_key)


async def record_audio(
    deps: WorkerDeps,
    work: queue.Work,
    made: renditions.Audio,
    event: AudioRendered,
    *,
    timings: dict[str, float],
    settings: Mapping[str, Any],  # Any: the engine's own values
) -> bool:
    """Write a rendition's audio down, complete what waited for it, and tell of both, in one transaction.

    The object store has checked what was uploaded. False when nobody wants it any more.
    """
    # The rendition first, and then what is queued for it: in that order whoever cancels it locks them, too.
    async with deps.database.transaction(work.org_id, holding=renditions.locking(work.rendition_id)) as session:
        recorded = await recordings.record_audio(
            session, work, deps.worker_id, made, model_id=event.model_id, timings=timings, settings=settings
        )
        if recorded.is_wanted:
            event.rendered_at.FromDatetime(deps.clock())
            event.completed = True
            outbox.add(session, event)
        for generation, size_bytes in recorded.completed:
            outbox.add(session, completed_event(generation, size_bytes))
    if recorded.is_wanted:
        await tell_of_audio(deps.bus, work.rendition_id, [generation for generation, _ in recorded.completed])
    return recorded.is_wanted
