"""An organisation goes, and all that is kept of it."""

from __future__ import annotations

import asyncio
from uuid import UUID

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.antiphon.storage.v1.events_pb2 import OrganizationErased
from libs.messaging import Delivery
from libs.outbox.erasing import erase_rows, tell_erased
from services.storage.domain.afterwards import next_sweep
from services.storage.domain.keys import organization_prefixes
from services.storage.store import erased
from services.storage.usecases.deps import Deps

ERASE_ORGANIZATION = "storage-erase_organization"
ERASED = ("audio_alignments", "audio_tracks", "lost_tracks", "deleted_generations", "media_assets", "uploads")
"""Every table with rows of organisations, those that refer to others first."""
LISTED_AT_ONCE, ERASED_AT_ONCE, SWEPT_AT_ONCE = 1000, 16, 10


async def erase_organization(deps: Deps, delivery: Delivery[OrganizationErasureRequested]) -> None:
    """Delete all that is kept here of an organisation, and tell how much it was."""
    org_id = UUID(delivery.event.org_id)
    counts = await erase_rows(deps.database, org_id, ERASED)
    await deps.known.removed(org_id)
    counts["objects"] = await _erase_objects(deps, org_id)
    await tell_erased(deps.database, delivery, ERASE_ORGANIZATION, counts, OrganizationErased, deps.clock())


async def sweep_erased(deps: Deps) -> int:
    """Delete what was put under the keys of organisations that were erased meanwhile; return how many objects it was.

    What began before and ended afterwards could write no row, but it could write an object. So it is looked for again
    and again, until nothing of that time can be at work any more. Raises ObjectStoreUnavailable; then it is due later.
    """
    found = 0
    while True:
        async with deps.database.transaction() as session:
            due = await erased.claim_due(session, deps.clock(), SWEPT_AT_ONCE)
        for org_id, erased_at in due:
            found += await _erase_objects(deps, org_id)
            async with deps.database.transaction() as session:
                await erased.sweep_next(session, org_id, next_sweep(erased_at, deps.clock()))
        if len(due) < SWEPT_AT_ONCE:
            return found


async def _erase_objects(deps: Deps, org_id: UUID) -> int:
    """Delete what lies under an organisation's prefixes, whoever made it; return how many objects it was."""
    erased = 0
    for prefix in organization_prefixes(org_id):
        await deps.parts.abort_all(prefix)
        deps.small.forget_all(prefix)
        while keys := await deps.objects.list_keys(prefix, LISTED_AT_ONCE):
            for start in range(0, len(keys), ERASED_AT_ONCE):
                await asyncio.gather(*(deps.objects.delete(key) for key in keys[start : start + ERASED_AT_ONCE]))
            erased += len(keys)
    return erased
