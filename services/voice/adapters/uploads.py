"""What clients uploaded, as storage knows it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from libs.contracts.antiphon.storage.v1.rpc_pb2 import FindMediaReply, FindMediaRequest
from libs.messaging import Bus, Unavailable, rpc
from services.voice.domain.uploads import Uploaded

PATIENCE_SECONDS = 5.0
"""How long a request waits for a storage service that is restarting."""


class Uploads:
    """Finished uploads, found by asking storage."""

    def __init__(self, bus: Bus) -> None:
        """`bus` is how storage is asked."""
        self._bus = bus

    async def find(self, org_id: UUID, upload_ids: Sequence[UUID]) -> list[Uploaded]:
        """Return what there is under the ids, in their order; what is not there is left out. Raises Unavailable."""
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = FindMediaRequest(org_id=str(org_id), media_ids=map(str, upload_ids))
        reply = await rpc.call(self._bus, "storage", "find_media", request, FindMediaReply, patience=PATIENCE_SECONDS)
        return [Uploaded(UUID(one.media_id), one.kind, one.object_key, one.size_bytes) for one in reply.media]
