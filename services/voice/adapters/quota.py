"""How many voices an organisation's plan allows, decided by analytics."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.messaging import Bus, Unavailable, rpc
from services.voice.domain import QuotaExceeded

UNIT = "custom_voices"
PATIENCE_SECONDS = 8.0
"""How long an analytics service that is restarting is waited for."""
RELEASE_SECONDS = 1.0


class VoiceQuota:
    """Sets a voice aside before it is made, so that two at once cannot be one too many."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def reserve(self, org_id: UUID, voice_id: UUID) -> None:
        """Set a voice aside until it is heard of; asking twice sets one aside. Raises QuotaExceeded, Unavailable."""
        reply = await self._ask(org_id, voice_id, PATIENCE_SECONDS)
        if not reply.granted:
            raise QuotaExceeded(
                quota=reply.unit or UNIT,
                limit=reply.limit,
                remaining=reply.remaining,
                resets_at=datetime.fromtimestamp(reply.resets_at, UTC) if reply.resets_at else None,
            )

    async def release(self, org_id: UUID, voice_id: UUID) -> None:
        """Give back what was set aside for a voice that was not made. Raises Unavailable: then time gives it back."""
        await self._ask(org_id, voice_id, RELEASE_SECONDS, release=True)

    async def _ask(self, org_id: UUID, voice_id: UUID, patience: float, *, release: bool = False) -> ReserveReply:
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = ReserveRequest(reservation_id=str(voice_id), org_id=str(org_id), unit=UNIT, release=release)
        return await rpc.call(self._bus, "analytics", "reserve", request, ReserveReply, patience=patience)
