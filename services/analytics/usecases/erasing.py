"""An organisation goes, and all that is kept of it."""

from __future__ import annotations

from uuid import UUID

from libs.contracts.antiphon.analytics.v1.events_pb2 import OrganizationErased
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.messaging import Delivery
from libs.outbox.erasing import erase_rows, tell_erased
from services.analytics.usecases.deps import Deps

ERASE_ORGANIZATION = "analytics-erase_organization"
"""The durable of the consumer: what the inbox remembers is its."""
ERASED = (
    "usage_metrics",
    "usage_totals",
    "usage_daily",
    "usage_quarters",
    "reservations",
    "subscriptions",
    "holdings",
    "levels",
    "quota_thresholds",
)
"""Every table with rows of organisations."""


async def erase_organization(deps: Deps, delivery: Delivery[OrganizationErasureRequested]) -> None:
    """Delete all that is kept here of an organisation, and tell how much it was."""
    org_id = UUID(delivery.event.org_id)
    counts = await erase_rows(deps.database, org_id, ERASED)
    await tell_erased(deps.database, delivery, ERASE_ORGANIZATION, counts, OrganizationErased, deps.clock())
