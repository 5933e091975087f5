"""What organisations have subscribed to, kept by analytics."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ChangeSubscriptionReply, ChangeSubscriptionRequest
from libs.messaging import Bus, Unavailable, rpc
from services.gateway.domain.subscriptions import ChangedSubscription, InvalidSubscription, WantedSubscription

PATIENCE_SECONDS = 8.0
"""How long an analytics service that is restarting is waited for."""


class Plans:
    """Asks analytics to change what an organisation has subscribed to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def change(self, org_id: UUID, wanted: WantedSubscription) -> ChangedSubscription:
        """Change a subscription; doing it twice changes it once. Raises InvalidSubscription and Unavailable."""
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = ChangeSubscriptionRequest(
            org_id=str(org_id),
            plan=wanted.plan,
            status=wanted.status,
            effective=wanted.effective or "",
            end_date=int(wanted.end_date.timestamp()) if wanted.end_date else 0,
        )
        reply = await rpc.call(
            self._bus, "analytics", "change_subscription", request, ChangeSubscriptionReply, patience=PATIENCE_SECONDS
        )
        if reply.refusal:
            raise InvalidSubscription(reply.refusal_field, reply.refusal)
        return ChangedSubscription(
            plan=reply.plan,
            status=reply.status,
            plan_in_force=reply.plan_in_force,
            start_date=_moment(reply.start_date),
            end_date=_moment(reply.end_date),
            next_plan=reply.next_plan or None,
            changes_at=_moment(reply.changes_at),
        )


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
