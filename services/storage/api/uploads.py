"""Uploads: announced here, sent to the object store, completed here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response

from libs.web import CallerOf, OnceOf, PathId, answered, header, told
from libs.web.problems import UNAVAILABLE
from services.storage.api import problems
from services.storage.api.parts import NOT_KEPT, DepsOf
from services.storage.api.upload_views import (
    Completion,
    MediaView,
    NewUploadView,
    UploadView,
    media_view,
    upload_id_of,
    upload_view,
)
from services.storage.domain import uploads as domain
from services.storage.usecases import completing, uploading

router = APIRouter()
_LOCATION = {"Location": header("The upload.", "/v1/uploads/01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61")}


@router.post(
    "/v1/uploads",
    status_code=201,
    responses=answered(201, headers=_LOCATION) | told(problems.TOO_MANY_UPLOADS, UNAVAILABLE),
)
async def open_upload(
    wanted: NewUploadView, response: Response, caller: CallerOf, deps: DepsOf, once: OnceOf
) -> UploadView:
    """Announce a file, and get a signed URL to PUT it to, which takes exactly this size, type and SHA-256.

    Beyond 64 MB it is sent in parts, each with a URL of its own. Nothing is kept before it is completed.
    """
    upload = await uploading.open_upload(deps, caller, wanted.announced(), once)
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    response.headers["Cache-Control"] = NOT_KEPT
    return upload_view(upload, uploading.sign_puts(deps, upload), deps.clock())


@router.get("/v1/uploads/{upload_id}", responses=told(problems.NO_UPLOAD))
async def get_upload(upload_id: PathId, caller: CallerOf, deps: DepsOf) -> UploadView:
    """Return an upload and what has become of it, without its URLs."""
    upload = await uploading.find_upload(deps, caller, upload_id_of(upload_id))
    return upload_view(upload, [], deps.clock())


@router.post("/v1/uploads/{upload_id}/urls", responses=told(problems.NO_UPLOAD, UNAVAILABLE))
async def sign_upload(upload_id: PathId, response: Response, caller: CallerOf, deps: DepsOf) -> UploadView:
    """Return an upload with URLs that are signed anew, for they last a quarter of an hour; none if not pending."""
    upload = await uploading.find_upload_to_send(deps, caller, upload_id_of(upload_id))
    response.headers["Cache-Control"] = NOT_KEPT
    return upload_view(upload, uploading.sign_puts(deps, upload), deps.clock())


@router.post(
    "/v1/uploads/{upload_id}/complete",
    responses=told(
        problems.NO_UPLOAD,
        problems.incomplete(domain.UploadIncomplete("nothing has arrived yet")),
        problems.UPLOAD_EXPIRED,
        problems.rejected(domain.UploadRejected("7 bytes arrived; 11 were announced")),
        UNAVAILABLE,
    ),
)
async def complete_upload(
    upload_id: PathId, caller: CallerOf, deps: DepsOf, sent: Annotated[Completion | None, Body()] = None
) -> MediaView:
    """Have a file verified that was sent: its size, its SHA-256, and by decoding that it is what it should be.

    It is kept as media from then on, under the id of the upload. What is not as announced is rejected for good, and the
    answer says what was measured. Completing again gives the same answer.
    """
    etags = sent.etags() if sent is not None else {}
    return media_view(await completing.complete_upload(deps, caller, upload_id_of(upload_id), etags))


@router.delete(
    "/v1/uploads/{upload_id}", status_code=204, responses=told(problems.NO_UPLOAD, problems.UPLOAD_COMPLETED)
)
async def abort_upload(upload_id: PathId, caller: CallerOf, deps: DepsOf) -> None:
    """Give an upload up; what was sent of it is removed. One that is completed is media, and is deleted as that."""
    await uploading.abort_upload(deps, caller, upload_id_of(upload_id))
