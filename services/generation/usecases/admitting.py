"""Admitting what came while the quota could not be asked."""

from __future__ import annotations

from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeferred
from libs.messaging import Delivery, inbox, signal
from services.generation.domain import errors, signals
from services.generation.store import queue, renditions
from services.generation.usecases import ending, planning
from services.generation.usecases.deps import Deps

ADMIT_GENERATION = "generation-admit_generation"
"""The durable of the consumer that calls that use case: what the inbox remembers is its."""


async def admit_generation(deps: Deps, delivery: Delivery[GenerationDeferred]) -> None:
    """Reserve the characters of a request that was put off, and hand it to the workers; or fail it.

    One that was deleted or canceled meanwhile hears nothing. Raises Unavailable while the quota cannot be asked.
    """
    requested = delivery.event.request
    org_id, generation_id = UUID(requested.org_id), UUID(requested.generation_id)
    refusal: errors.QuotaExceeded | None = None
    most_at_once = queue.UNLIMITED
    try:
        most_at_once = await deps.quota.reserve(
            org_id,
            generation_id,
            requested.characters,
            seconds=deps.admission.longest_wait("job" if requested.mode == "job" else "interactive"),
        )
    except errors.QuotaExceeded as error:
        refusal = error
    async with deps.database.transaction(org_id) as session:
        if not await inbox.is_new(session, ADMIT_GENERATION, delivery.event_id):
            return
        generation = await ending.hold_generation(session, org_id, generation_id)
        if generation is None or generation.is_finished or generation.rendition_id is None:
            return
        if refusal is not None:
            await ending.fail_generation(
                session, generation, code="quota_exceeded", reason=refusal.explanation, now=deps.clock()
            )
            return
        outbox.add(session, requested)
        rendition = await renditions.get_rendition(session, generation.rendition_id)
        # Somebody else who asked for the same may have had it begun.
        if rendition is not None and await planning.is_unplanned(session, rendition):
            await planning.order_plan(session, rendition, most_at_once)
    await signal(deps.bus, signals.WORK)
