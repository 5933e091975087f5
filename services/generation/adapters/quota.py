"""What an organisation's plan allows, decided by analytics."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.messaging import Bus, Unavailable, rpc
from services.generation.domain.errors import QuotaExceeded

UNLIMITED = 1000
"""Pieces of one organisation's work at the same time, where its plan does not say."""


class Quota:
    """What the organisation's plan allows, decided by analytics."""

    def __init__(self, bus: Bus, *, patience_seconds: float) -> None:
        """Waits up to `patience_seconds` for an analytics service that is restarting."""
        self._bus = bus
        self._patience = patience_seconds

    async def reserve(self, org_id: UUID, generation_id: UUID, characters: int, *, again: bool = False) -> int:
        """Set characters aside until the generation is settled; raises QuotaExceeded or Unavailable.

        Returns how much of the organisation's work may be done at the same time. `again`: what was reserved for the
        generation and released is to be decided anew.

        Without a connection to the broker nobody is kept waiting: that may take longer than anybody's patience.
        """
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = ReserveRequest(
            reservation_id=str(generation_id), org_id=str(org_id), characters=characters, again=again
        )
        reply = await rpc.call(self._bus, "analytics", "reserve", request, ReserveReply, patience=self._patience)
        if not reply.granted:
            raise QuotaExceeded(
                asked=characters,
                limit=reply.limit,
                remaining=reply.remaining,
                resets_at=datetime.fromtimestamp(reply.resets_at, tz=UTC),
            )
        return reply.concurrency or UNLIMITED
