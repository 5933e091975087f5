"""Organisations appear."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.messaging import Serves, projection
from services.analytics import store
from services.analytics.consumers.stamps import time_of


@projection(OrganizationCreated)
async def begin_subscriptions(session: AsyncSession, events: Sequence[OrganizationCreated]) -> None:
    """Every organisation begins with a subscription."""
    rows = {
        event.org_id: {
            "org_id": UUID(event.org_id),
            "plan": event.plan,
            "status": "active",
            "start_date": time_of(event.created_at),
            "end_date": None,
        }
        for event in events
    }
    await store.save_subscriptions(session, list(rows.values()))


RESERVES = Serves("analytics", "reserve")
CHANGES_SUBSCRIPTIONS = Serves("analytics", "change_subscription")
