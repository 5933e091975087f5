"""Media: files that clients uploaded, and that were found right."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from libs.database import Cursor, page_of
from libs.web import CallerOf, PathId, file_answers, told
from services.storage.api.files import File, send_file
from services.storage.api.parts import CONDITIONAL, NOT_KEPT, PRIVATE, DepsOf
from services.storage.api.problems import CHANGED, NO_MEDIA, NO_OBJECT, unsatisfiable
from services.storage.api.track_views import MOST_SIGNED_SECONDS, SignedSeconds, SignedUrlView
from services.storage.api.upload_views import MediaList, MediaQuery, MediaView, media_id_of, media_view
from services.storage.domain.content import MediaKind
from services.storage.domain.delivery import RangeNotSatisfiable, Representation
from services.storage.domain.uploads import MediaAsset
from services.storage.store import media as store
from services.storage.usecases import media

router = APIRouter()
_CONTENT = file_answers("audio/*", "image/*", "video/*", "application/pdf", "text/plain") | told(
    NO_MEDIA, NO_OBJECT, CHANGED, unsatisfiable(RangeNotSatisfiable(20_480))
)
_ENDINGS = {"mpeg": "mp3", "plain": "txt", "markdown": "md", "x-matroska": "mkv", "x-subrip": "srt"}
"""Of files whose type does not end in what their names do."""


@router.get("/v1/media")
async def list_media(caller: CallerOf, deps: DepsOf, wanted: Annotated[MediaQuery, Query()]) -> MediaList:
    """List what was uploaded, newest first."""
    after = Cursor.decode(wanted.cursor) if wanted.cursor else None
    async with deps.database.transaction(caller.org_id) as session:
        rows = await store.list_media(session, caller.org_id, wanted.filter(), after=after, limit=wanted.limit)
    page = page_of(rows, wanted.limit, lambda asset: Cursor(asset.created_at, asset.id))
    return MediaList(items=[media_view(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/v1/media/{media_id}", responses=told(NO_MEDIA))
async def get_media(media_id: PathId, caller: CallerOf, deps: DepsOf) -> MediaView:
    """Return what is known of a file."""
    return media_view(await media.find_asset(deps, caller, media_id_of(media_id)))


@router.head("/v1/media/{media_id}/content", include_in_schema=False)
@router.get("/v1/media/{media_id}/content", response_class=Response, responses=_CONTENT, openapi_extra=CONDITIONAL)
async def get_media_content(media_id: PathId, request: Request, caller: CallerOf, deps: DepsOf) -> Response:
    """Send a file, or the asked part of it. Documents are sent to be saved, and not to be shown."""
    return await send_file(request, deps, _file(await media.find_asset(deps, caller, media_id_of(media_id))))


@router.get("/v1/media/{media_id}/url", responses=told(NO_MEDIA))
async def sign_media_url(
    media_id: PathId,
    caller: CallerOf,
    deps: DepsOf,
    response: Response,
    seconds: SignedSeconds = MOST_SIGNED_SECONDS,
) -> SignedUrlView:
    """Return a URL under which whoever has it gets the file from the object store, without a key of ours."""
    file = _file(await media.find_asset(deps, caller, media_id_of(media_id)))
    signed = deps.signer.sign("GET", file.key, lifetime=timedelta(seconds=seconds), headers=file.stored_headers())
    response.headers["Cache-Control"] = NOT_KEPT
    return SignedUrlView(url=signed.url, expires_at=signed.expires_at)


@router.delete("/v1/media/{media_id}", status_code=204, responses=told(NO_MEDIA))
async def delete_media(media_id: PathId, caller: CallerOf, deps: DepsOf) -> None:
    """Delete a file. What was made of it (a voice, a document) stays."""
    await media.delete_media(deps, caller, media_id_of(media_id))


def _file(asset: MediaAsset) -> File:
    subtype = asset.content_type.partition("/")[2]
    ending = "wav" if asset.content_type == "audio/wav" else _ENDINGS.get(subtype, subtype)
    return File(
        key=asset.object_key,
        representation=Representation(asset.size_bytes, f'"{asset.sha256}"', asset.created_at.replace(microsecond=0)),
        content_type=asset.content_type,
        cache_control=PRIVATE,
        filename=f"{asset.kind}-{asset.id}.{ending}",
        is_immutable=True,
        # A page of somebody's own must not be shown as one of ours.
        disposition="attachment" if asset.kind is MediaKind.DOCUMENT else "inline",
    )
