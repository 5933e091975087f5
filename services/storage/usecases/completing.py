"""An upload is complete: what arrived is verified, taken out of quarantine, and told of.

It is copied first, under a key that no client can write to, and the copy is what is verified: whoever still has the URL
may overwrite what lies in quarantine at any moment. Each attempt has a copy of its own, so that two of them never
verify and record each other's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.storage.v1.events_pb2 import MediaStored
from libs.ids import new_id
from libs.objectstore import ObjectMissing, ObjectStoreUnavailable, PartsRefused
from libs.web import Caller
from services.storage.adapters.objects import describe_object
from services.storage.domain import uploads as domain
from services.storage.domain.content import ContentRefused, Found
from services.storage.domain.uploads import MediaAsset, Status, Upload
from services.storage.store import media, uploads
from services.storage.usecases import sweeping
from services.storage.usecases.deps import Deps

TRIES, PAUSE_SECONDS = 3, 0.5
"""How often the object store is asked for what can be asked again, and after how long."""
Answer = TypeVar("Answer")


async def complete_upload(deps: Deps, caller: Caller, upload_id: UUID, etags: Mapping[int, str]) -> MediaAsset:
    """Verify and keep what arrived; what is kept already is returned as it is. `etags` are those of parts.

    Raises UploadNotFound, UploadExpired, UploadInvalid, UploadIncomplete, UploadRejected, ProbingUnavailable,
    ObjectStoreUnavailable.
    """
    try:
        async with asyncio.timeout(domain.COMPLETING_SECONDS):
            return await _complete(deps, caller.org_id, upload_id, etags)
    except TimeoutError:
        raise ObjectStoreUnavailable("verifying an upload took too long") from None


async def _complete(deps: Deps, org_id: UUID, upload_id: UUID, etags: Mapping[int, str]) -> MediaAsset:
    upload, asset = await _known(deps, org_id, upload_id)
    if asset is not None:
        return asset
    try:
        await _require_arrival(deps, upload, etags)
        asset = await _keep(deps, upload)
    except (domain.UploadRejected, ContentRefused) as refusal:
        await _reject(deps, upload, str(refusal))
        raise domain.UploadRejected(str(refusal)) from None
    except (ObjectMissing, domain.UploadIncomplete) as missing:
        # Another completion may have been faster, and has taken it out of quarantine.
        upload, asset = await _known(deps, org_id, upload_id)
        if asset is not None:
            return asset
        if isinstance(missing, domain.UploadIncomplete):
            raise
        raise domain.UploadIncomplete("nothing has arrived yet") from None
    await sweeping.tidy_up(deps, upload)
    return asset


async def _known(deps: Deps, org_id: UUID, upload_id: UUID) -> tuple[Upload, MediaAsset | None]:
    """Return an upload that is open or stored, and what was stored of it."""
    async with deps.database.transaction(org_id) as session:
        upload = await uploads.get_upload(session, org_id, upload_id)
        asset = await media.get_media(session, org_id, upload_id)
    if upload is None or (upload.status is Status.STORED and asset is None):
        raise domain.UploadNotFound
    upload.require_open(deps.clock())
    return upload, asset


async def _require_arrival(deps: Deps, upload: Upload, etags: Mapping[int, str]) -> None:
    """Raise UploadIncomplete unless all is there, and UploadRejected unless it has as many bytes as were announced."""
    if upload.is_in_parts:
        await _join_parts(deps, upload, etags)
    elif etags:
        raise domain.UploadInvalid("parts", "are for an upload in parts; this one is sent in one piece")
    arrived = await _patiently(lambda: describe_object(deps.objects, upload.quarantine_key))
    domain.require_arrived(upload, arrived.representation.size)


async def _join_parts(deps: Deps, upload: Upload, etags: Mapping[int, str]) -> None:
    if await _patiently(lambda: deps.objects.exists(upload.quarantine_key)):
        # By a completion that came no further.
        return
    upload.require_all_parts(etags)
    if upload.parts_id is None:
        raise domain.UploadIncomplete("no part has arrived yet")
    parts_id = upload.parts_id
    try:
        await _patiently(lambda: deps.parts.complete(upload.quarantine_key, parts_id, etags))
    except PartsRefused:
        message = "a part has not arrived, or its ETag is not the one that the answer to its PUT had"
        raise domain.UploadIncomplete(message) from None
    except ObjectMissing:
        # It is over: by a completion whose answer was lost, ours or another's.
        if not await _patiently(lambda: deps.objects.exists(upload.quarantine_key)):
            raise


async def _keep(deps: Deps, upload: Upload) -> MediaAsset:
    key = f"{upload.media_prefix}{new_id()}"
    committing = False
    try:
        await _patiently(lambda: deps.objects.copy(upload.quarantine_key, key))
        domain.require_same(upload, *await _patiently(lambda: deps.objects.digest(key)))
        found = await _patiently(lambda: deps.prober.probe(key, upload.size_bytes, upload.kind, upload.content_type))
        made = _asset(deps, upload, key, found)
        async with deps.database.transaction(upload.org_id) as session:
            asset = await _record(deps, session, made)
            committing = asset is made
    finally:
        # An interrupted commit may have succeeded, and what it tells of has to be there; the sweeper decides then.
        if not committing:
            await asyncio.shield(_discard(deps, key))
    return asset


async def _discard(deps: Deps, key: str) -> None:
    try:
        await deps.objects.delete(key)
    except ObjectStoreUnavailable:
        return  # it lies where the sweeper looks


async def _record(deps: Deps, session: AsyncSession, made: MediaAsset) -> MediaAsset:
    """Write what was verified, unless somebody else has; return what is kept."""
    upload = await uploads.get_upload(session, made.org_id, made.id, lock=True)
    if upload is None:
        raise domain.UploadNotFound
    upload.require_open(deps.clock())
    if upload.status is Status.STORED:
        known = await media.get_media(session, made.org_id, made.id)
        if known is None:
            raise domain.UploadNotFound
        return known
    await media.insert_media(session, made)
    await uploads.settle_upload(session, made.id, Status.STORED)
    outbox.add(
        session,
        MediaStored(
            media_id=str(made.id),
            org_id=str(made.org_id),
            kind=made.kind,
            purpose=made.purpose,
            owner=made.owner or "",
            object_key=made.object_key,
            content_type=made.content_type,
            size_bytes=made.size_bytes,
            sha256=made.sha256,
            stored_at=made.created_at,
        ),
    )
    return made


async def _reject(deps: Deps, upload: Upload, reason: str) -> None:
    async with deps.database.transaction(upload.org_id) as session:
        known = await uploads.get_upload(session, upload.org_id, upload.id, lock=True)
        if known is None or known.status is not Status.PENDING:
            return
        await uploads.settle_upload(session, upload.id, Status.REJECTED, reason)
    await sweeping.tidy_up(deps, upload)


def _asset(deps: Deps, upload: Upload, key: str, found: Found) -> MediaAsset:
    return MediaAsset(
        id=upload.id,
        org_id=upload.org_id,
        purpose=upload.purpose,
        kind=upload.kind,
        owner=upload.owner,
        filename=upload.filename,
        object_key=key,
        content_type=found.content_type,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        duration_seconds=found.duration_seconds,
        width=found.width,
        height=found.height,
        pages=found.pages,
        created_at=deps.clock(),
    )


async def _patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask the object store, and again if it is away for a moment. Raises what `ask` raises."""
    for _ in range(TRIES - 1):
        try:
            return await ask()
        except ObjectStoreUnavailable:
            await asyncio.sleep(PAUSE_SECONDS)
    return await ask()
