"""Organisations go."""

from __future__ import annotations

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.messaging import Delivery, work
from services.analytics import usecases
from services.analytics.usecases import Deps


@work(OrganizationErasureRequested, concurrency=1, outstanding=8, of_erased=True)
async def erase_organization(delivery: Delivery[OrganizationErasureRequested], deps: Deps) -> None:
    """An organisation goes, and all that is kept of it."""
    await usecases.erase_organization(deps, delivery)
