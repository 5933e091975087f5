"""What clients uploaded, as storage knows it."""

from __future__ import annotations

from uuid import UUID

from libs.contracts.antiphon.storage.v1.rpc_pb2 import FindMediaReply, FindMediaRequest
from libs.messaging import Bus, Unavailable, rpc
from services.embedding.domain.uploads import Uploaded

PATIENCE_SECONDS = 5.0
"""How long a request waits for a storage service that is restarting."""


class Uploads:
    """Finished uploads, found by asking storage."""

    def __init__(self, bus: Bus) -> None:
        """`bus` is how storage is asked."""
        self._bus = bus

    async def find(self, org_id: UUID, upload_id: UUID) -> Uploaded | None:
        """Return a finished upload of the organisation; None for any other id. Raises Unavailable."""
        if not self._bus.is_connected:
            raise Unavailable("the broker is away")
        request = FindMediaRequest(org_id=str(org_id), media_ids=[str(upload_id)])
        reply = await rpc.call(self._bus, "storage", "find_media", request, FindMediaReply, patience=PATIENCE_SECONDS)
        if not reply.media:
            return None
        found = reply.media[0]
        return Uploaded(found.kind, found.object_key, found.size_bytes, found.sha256, found.filename)
