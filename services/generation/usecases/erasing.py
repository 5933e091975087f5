"""An organisation goes, and all that is kept of it."""

from __future__ import annotations

from uuid import UUID

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.antiphon.generation.v1.events_pb2 import OrganizationErased
from libs.messaging import Delivery
from libs.outbox.erasing import erase_rows, tell_erased
from services.generation.usecases.deps import Deps

ERASE_ORGANIZATION = "generation-erase_organization"
"""The durable of the consumer: what the inbox remembers is its."""
ERASED = (
    "speech_queue",
    "generation_chunks",
    "speech_cache",
    "generation_attempts",
    "generations",
    "renditions",
    "dictionary_versions",
    "dictionaries",
    "voices",
    "organization_plans",
)
"""Every table with rows of organisations, those that refer to others first."""


async def erase_organization(deps: Deps, delivery: Delivery[OrganizationErasureRequested]) -> None:
    """Delete all that is kept here of an organisation, and tell how much it was."""
    org_id = UUID(delivery.event.org_id)
    counts = await erase_rows(deps.database, org_id, ERASED)
    await deps.known_audio.removed(org_id)
    await tell_erased(deps.database, delivery, ERASE_ORGANIZATION, counts, OrganizationErased, deps.clock())
