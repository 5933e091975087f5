"""Media: found for other services, and deleted."""

from __future__ import annotations

from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.storage.v1.events_pb2 import MediaRemoved
from libs.contracts.antiphon.storage.v1.rpc_pb2 import FindMediaReply, FindMediaRequest, Media
from libs.ids import parse_id
from libs.web import Caller
from services.storage.domain.uploads import MediaAsset, MediaNotFound
from services.storage.store import media
from services.storage.usecases.deps import Deps


async def find_asset(deps: Deps, caller: Caller, media_id: UUID) -> MediaAsset:
    """Return an asset of the caller's organisation. Raises MediaNotFound."""
    async with deps.database.transaction(caller.org_id) as session:
        asset = await media.get_media(session, caller.org_id, media_id)
    if asset is None:
        raise MediaNotFound
    return asset


async def find_media(deps: Deps, request: FindMediaRequest) -> FindMediaReply:
    """Answer another service: what there is under the ids, in their order."""
    org_id = UUID(request.org_id)
    found = []
    async with deps.database.transaction(org_id) as session:
        for text in request.media_ids:
            media_id = parse_id(text)
            asset = await media.get_media(session, org_id, media_id) if media_id is not None else None
            if asset is not None:
                found.append(_told(asset))
    return FindMediaReply(media=found)


def _told(asset: MediaAsset) -> Media:
    return Media(
        media_id=str(asset.id),
        kind=asset.kind,
        object_key=asset.object_key,
        content_type=asset.content_type,
        size_bytes=asset.size_bytes,
        sha256=asset.sha256,
        filename=asset.filename,
    )


async def delete_media(deps: Deps, caller: Caller, media_id: UUID) -> None:
    """Delete an asset: its row now, so that nobody is promised it, its object by event. Raises MediaNotFound."""
    async with deps.database.transaction(caller.org_id) as session:
        asset = await media.delete_media(session, caller.org_id, media_id)
        if asset is None:
            raise MediaNotFound
        outbox.add(
            session,
            MediaRemoved(
                media_id=str(asset.id),
                org_id=str(asset.org_id),
                object_keys=[asset.object_key],
                size_bytes=asset.size_bytes,
                removed_at=deps.clock(),
            ),
        )
