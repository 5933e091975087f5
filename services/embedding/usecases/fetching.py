"""Files that clients sent to the object store before they are brought as documents."""

from __future__ import annotations

import hashlib
from uuid import UUID

from libs.objectstore import ObjectMissing
from libs.web import Caller
from services.embedding.domain import uploads
from services.embedding.usecases.deps import Deps


async def fetch_upload(deps: Deps, caller: Caller, upload_id: UUID) -> tuple[str, bytes]:
    """Return name and bytes of a finished upload: a document is read once, whatever becomes of the upload.

    Raises UploadUnusable, UploadTooLarge, Unavailable, ObjectStoreUnavailable.
    """
    found = uploads.require_usable(upload_id, await deps.find_upload(caller.org_id, upload_id))
    try:
        content = await deps.objects.get(found.object_key)
    except ObjectMissing:
        raise uploads.UploadUnusable(f"{upload_id} is not there any more; upload the file again") from None
    if hashlib.sha256(content).hexdigest() != found.sha256:
        raise uploads.UploadUnusable(f"{upload_id} is not what was uploaded any more; upload the file again")
    return found.filename, content
