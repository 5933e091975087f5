"""Which audio generations have, as the generation service knows it."""

from __future__ import annotations

from uuid import UUID

from libs.contracts.antiphon.generation.v1.rpc_pb2 import FindAudioReply, FindAudioRequest
from libs.ids import parse_id
from libs.messaging import Bus, Unavailable, rpc

PATIENCE_SECONDS = 5.0
"""How long a request waits for a generation service that is restarting."""


class Generations:
    """Asks the generation service."""

    def __init__(self, bus: Bus) -> None:
        """`bus` is how it is asked."""
        self._bus = bus

    async def find_audio(self, org_id: UUID, generation_id: UUID) -> UUID | None:
        """Return the id of the audio that a generation of the organisation has, or None. Raises Unavailable."""
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = FindAudioRequest(org_id=str(org_id), generation_id=str(generation_id))
        reply = await rpc.call(
            self._bus, "generation", "find_audio", request, FindAudioReply, patience=PATIENCE_SECONDS
        )
        return parse_id(reply.audio_id)
