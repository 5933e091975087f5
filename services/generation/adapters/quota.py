"""What an organisation's plan allows, decided by analytics."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.messaging import Bus, Unavailable, rpc
from services.generation.domain.errors import QuotaExceeded

UNLIMITED = 1000
"""Pieces of one organisation's work at the same time, where its plan does not say."""


SPEAKING_SECONDS = 3600
"""How much longer than it may wait something is set aside for: the time in which it is spoken."""
UNLIMITED_SECONDS = 1.0
"""How much longer an organisation may go on without a limit when its plan changes."""
PLANS_KEPT = 10_000


class Quota:
    """What the organisation's plan allows, decided by analytics.

    Nothing is set aside where nothing is compared: that a plan has no limit is remembered for a moment.
    """

    def __init__(self, bus: Bus, *, patience_seconds: float) -> None:
        """Waits up to `patience_seconds` for an analytics service that is restarting."""
        self._bus = bus
        self._patience = patience_seconds
        self._unlimited: dict[UUID, tuple[float, int]] = {}

    async def reserve(
        self, org_id: UUID, generation_id: UUID, characters: int, *, again: bool = False, seconds: float = 0
    ) -> int:
        """Set characters aside until the generation is settled; raises QuotaExceeded or Unavailable.

        Returns how much of the organisation's work may be done at the same time. `again`: what was reserved for the
        generation and released is to be decided anew. `seconds`: for how long at least it may wait to be spoken.

        Without a connection to the broker nobody is kept waiting: that may take longer than anybody's patience.
        """
        until, concurrency = self._unlimited.get(org_id, (0.0, 0))
        if time.monotonic() < until:
            return concurrency
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = ReserveRequest(
            reservation_id=str(generation_id), org_id=str(org_id), characters=characters, again=again
        )
        if seconds:
            request.lifetime_seconds = int(seconds) + SPEAKING_SECONDS
        reply = await rpc.call(self._bus, "analytics", "reserve", request, ReserveReply, patience=self._patience)
        if not reply.granted:
            raise QuotaExceeded(
                asked=characters,
                limit=reply.limit,
                remaining=reply.remaining,
                resets_at=datetime.fromtimestamp(reply.resets_at, tz=UTC) if reply.resets_at else None,
                quota=reply.unit or "characters",
            )
        concurrency = reply.concurrency or UNLIMITED
        if not reply.limit:
            if len(self._unlimited) >= PLANS_KEPT:
                self._unlimited.clear()
            self._unlimited[org_id] = time.monotonic() + UNLIMITED_SECONDS, concurrency
        return concurrency
