"""Organisations appear."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated
from libs.messaging import Serves, projection
from services.analytics import domain, store
from services.analytics.consumers.stamps import time_of
from services.analytics.usecases.thresholds import tell_standing


@projection(OrganizationCreated)
async def begin_subscriptions(session: AsyncSession, events: Sequence[OrganizationCreated]) -> None:
    """Every organisation begins with a subscription; what it used before that was heard of counts under it."""
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
    causes = {UUID(event.org_id): event for event in events}
    for org_id in await store.save_subscriptions(session, list(rows.values())):
        now = time_of(causes[org_id].created_at)
        period = domain.period_of(now)
        standing = await store.get_standing(session, org_id, period, now)
        await tell_standing(session, org_id, standing, period, now, causes[org_id])


RESERVES = Serves("analytics", "reserve")
CHANGES_SUBSCRIPTIONS = Serves("analytics", "change_subscription")
