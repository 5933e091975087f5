"""Writing down what was made, unless nobody wants it any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.ids import new_id
from libs.messaging import signal
from services.generation.domain import signals
from services.generation.rendering.deps import WorkerDeps
from services.generation.store import attempts, queue, renditions


class _NotOurs(Exception):
    """The work was withdrawn, or another worker has it."""


async def record_audio(
    deps: WorkerDeps,
    work: queue.Work,
    made: renditions.Audio,
    event: AudioRendered,
    *,
    timings: dict[str, float],
    settings: Mapping[str, Any],  # Any: the engine's own values
) -> bool:
    """Write a rendition's audio down and tell of it, in one transaction; False when nobody wants it any more."""
    try:
        async with deps.database.transaction(work.org_id) as session:
            # The rendition first, and then what is queued for it: in that order whoever cancels it locks them, too.
            wanted = await renditions.save_audio(session, work.rendition_id, made)
            if not await queue.finish(session, work, deps.worker_id):
                raise _NotOurs
            if wanted:
                await attempts.insert_attempt(
                    session,
                    new_id(),
                    work.rendition_id,
                    model_id=event.model_id,
                    timings=timings,
                    settings=dict(settings),
                )
                event.rendered_at.FromDatetime(deps.clock())
                outbox.add(session, event)
    except _NotOurs:
        return False
    if wanted:
        await signal(deps.bus, signals.PROGRESS, str(work.rendition_id))
    return wanted
