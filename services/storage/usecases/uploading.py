"""How clients announce files that they send to the object store themselves, and give them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from libs.ids import new_id
from libs.objectstore import SIGNATURE_LIFETIME, SignedUrl
from libs.objectstore.objects import STORED_TYPES
from libs.web import Caller, Once
from services.storage.domain import uploads as domain
from services.storage.domain.uploads import Status, Upload
from services.storage.store import uploads
from services.storage.usecases import sweeping
from services.storage.usecases.deps import Deps

_LEAST_LIFETIME = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SignedPut:
    """One PUT that a client may send: it has to carry `headers` as they are."""

    signed: SignedUrl
    headers: Mapping[str, str]
    size_bytes: int


async def open_upload(deps: Deps, caller: Caller, wanted: domain.NewUpload, once: Once | None) -> Upload:
    """Write down what a client is going to send. What is done `once` gives the same upload again.

    Raises UploadInvalid, TooManyUploads, ObjectStoreUnavailable, and UploadNotFound for what was given up since.
    """
    wanted.require_size()
    now = deps.clock()
    upload_id = new_id(now) if once is None else once.resource_id
    upload = _announced(wanted, upload_id, caller.org_id, now)
    async with deps.database.transaction(caller.org_id, holding=uploads.locking(caller.org_id)) as session:
        known = await uploads.get_upload(session, caller.org_id, upload_id) if once is not None else None
        if known is None:
            if once is not None and once.is_made:
                raise domain.UploadNotFound
            if await uploads.count_pending(session, caller.org_id, now) >= domain.MOST_PENDING:
                raise domain.TooManyUploads
            await uploads.insert_upload(session, upload)
    return await _begin_parts(deps, known or upload)


def _announced(wanted: domain.NewUpload, upload_id: UUID, org_id: UUID, now: datetime) -> Upload:
    return Upload(
        id=upload_id,
        org_id=org_id,
        purpose=wanted.purpose,
        kind=wanted.kind,
        owner=wanted.owner,
        filename=wanted.filename,
        content_type=wanted.content_type,
        size_bytes=wanted.size_bytes,
        sha256=wanted.sha256,
        status=Status.PENDING,
        reason=None,
        parts_id=None,
        created_at=now,
        expires_at=now + (domain.PARTS_LIFETIME if wanted.is_in_parts else domain.LIFETIME),
    )


async def _begin_parts(deps: Deps, upload: Upload) -> Upload:
    """Begin an upload in parts at the object store, if that was not done yet.

    Its row is there before, so that whatever happens in between the sweeper finds what was begun.
    """
    if not upload.is_in_parts or upload.parts_id is not None or upload.status is not Status.PENDING:
        return upload
    parts_id = await deps.parts.begin(upload.quarantine_key, upload.content_type)
    async with deps.database.transaction(upload.org_id) as session:
        known = await uploads.get_upload(session, upload.org_id, upload.id, lock=True)
        if known is not None and known.status is Status.PENDING and known.parts_id is None:
            await uploads.set_parts_id(session, upload.id, parts_id)
            return replace(known, parts_id=parts_id)
    await deps.parts.abort(upload.quarantine_key, parts_id)
    if known is None:
        raise domain.UploadNotFound
    return known


async def find_upload(deps: Deps, caller: Caller, upload_id: UUID) -> Upload:
    """Return an upload of the caller's organisation. Raises UploadNotFound."""
    async with deps.database.transaction(caller.org_id) as session:
        upload = await uploads.get_upload(session, caller.org_id, upload_id)
    if upload is None or upload.status is Status.ABORTED:
        raise domain.UploadNotFound
    return upload


async def find_upload_to_send(deps: Deps, caller: Caller, upload_id: UUID) -> Upload:
    """As `find_upload`; one in parts is begun, if that was not done yet. Raises ObjectStoreUnavailable, too."""
    return await _begin_parts(deps, await find_upload(deps, caller, upload_id))


def sign_puts(deps: Deps, upload: Upload) -> Sequence[SignedPut]:
    """Return the one PUT of an upload, or one for each of its parts; none once it is settled or its time is over."""
    left = upload.expires_at - deps.clock()
    if upload.status is not Status.PENDING or left < _LEAST_LIFETIME:
        return []
    lifetime = min(SIGNATURE_LIFETIME, timedelta(seconds=int(left.total_seconds())))
    if not upload.is_in_parts:
        headers = {
            "Content-Length": str(upload.size_bytes),
            "Content-Type": STORED_TYPES.get(upload.content_type, upload.content_type),
            "x-amz-checksum-sha256": domain.base64_of(upload.sha256),
        }
        signed = deps.signer.sign_upload(upload.quarantine_key, lifetime=lifetime, headers=headers)
        return [SignedPut(signed, headers, upload.size_bytes)]
    puts = []
    for number, size in enumerate(upload.part_sizes, 1):
        headers = {"Content-Length": str(size)}
        query = {"partNumber": str(number), "uploadId": upload.parts_id or ""}
        signed = deps.signer.sign_upload(upload.quarantine_key, lifetime=lifetime, headers=headers, query=query)
        puts.append(SignedPut(signed, headers, size))
    return puts


async def abort_upload(deps: Deps, caller: Caller, upload_id: UUID) -> None:
    """Give an upload up; what was sent of it is removed at once, and what still comes by the sweeper.

    Raises UploadNotFound, and UploadStored for one that is completed.
    """
    async with deps.database.transaction(caller.org_id) as session:
        upload = await uploads.get_upload(session, caller.org_id, upload_id, lock=True)
        if upload is None or upload.status is Status.ABORTED:
            raise domain.UploadNotFound
        if upload.status is Status.STORED:
            raise domain.UploadStored
        await uploads.settle_upload(session, upload_id, Status.ABORTED)
    await sweeping.tidy_up(deps, upload)
