"""The routes by which an organisation's data, or a person's, are taken along."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse
from starlette.status import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from libs.archive.zip_stream import CONTENT_TYPE
from libs.web import PathId, told
from libs.web.described import answered
from libs.web.problems import UNAVAILABLE
from services.gateway.api import access_problems as problems
from services.gateway.api.fields import as_id
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.domain.access import Credential
from services.gateway.domain.exports import Export, ExportNotFound, Part, Status
from services.gateway.domain.members import MemberNotFound
from services.gateway.usecases import exporting
from services.gateway.usecases.deps import Deps

router = APIRouter()


class ExportedFile(BaseModel):
    """A file in the archive."""

    name: str = Field(examples=["voice.ndjson"])
    size_bytes: int
    sha256: str = Field(description="Of the file, in hexadecimal.")


class ExportPart(BaseModel):
    """What a service has written down, or why it could not."""

    service: str
    status: Literal["completed", "failed"]
    counts: dict[str, int] = Field(description="How many rows of each table.")
    file: ExportedFile | None = Field(description="None where there was nothing to write.")
    error: str | None = Field(description="The kind of error after the last of the tries.")
    tries: int
    exported_at: datetime


class ExportView(BaseModel):
    """How far an export is."""

    id: str
    status: Status = Field(description="failed: some service gave up; what the others wrote is there all the same.")
    user_id: str | None = Field(description="Whose data; null for all that is the organisation's.")
    requested_at: datetime
    expires_at: datetime = Field(description="When its files are removed.")
    waits_for: list[str] = Field(description="The services that have not answered yet.")
    parts: list[ExportPart]


def _part(part: Part) -> ExportPart:
    file = None
    if part.object_key is not None and part.sha256 is not None:
        file = ExportedFile(name=f"{part.service}.ndjson", size_bytes=part.size_bytes, sha256=part.sha256)
    return ExportPart(
        service=part.service,
        status="failed" if part.error else "completed",
        counts=dict(part.counts),
        file=file,
        error=part.error,
        tries=part.tries,
        exported_at=part.exported_at,
    )


def _view(export: Export, now: datetime) -> ExportView:
    return ExportView(
        id=str(export.id),
        status=export.status(now),
        user_id=str(export.user_id) if export.user_id else None,
        requested_at=export.requested_at,
        expires_at=export.expires_at,
        waits_for=list(export.waits_for),
        parts=[_part(part) for part in export.parts],
    )


@router.post(
    "/v1/organization/export", status_code=HTTP_202_ACCEPTED, responses=told(problems.export_running(problems.EXAMPLE))
)
async def export_organization(credential: CredentialOf, deps: DepsOf, response: Response) -> ExportView:
    """Have every service write down all that it has of the organisation."""
    return await _begin(deps, credential, None, response)


@router.post(
    "/v1/members/{user_id}/export",
    status_code=HTTP_202_ACCEPTED,
    responses=told(problems.NO_MEMBER, problems.export_running(problems.EXAMPLE)),
)
async def export_member(user_id: PathId, credential: CredentialOf, deps: DepsOf, response: Response) -> ExportView:
    """Have every service write down what it has of a person in the organisation."""
    return await _begin(deps, credential, as_id(user_id, MemberNotFound), response)


async def _begin(deps: Deps, credential: Credential, user_id: UUID | None, response: Response) -> ExportView:
    export_id = await exporting.begin_export(deps, credential, user_id)
    response.headers["Location"] = f"/v1/exports/{export_id}"
    return _view(await exporting.get_export(deps, credential, export_id), deps.clock())


@router.get("/v1/exports/{export_id}", responses=told(problems.NO_EXPORT))
async def get_export(export_id: PathId, credential: CredentialOf, deps: DepsOf) -> ExportView:
    """Say what each service has written down."""
    export = await exporting.get_export(deps, credential, as_id(export_id, ExportNotFound))
    return _view(export, deps.clock())


@router.delete("/v1/exports/{export_id}", status_code=HTTP_204_NO_CONTENT, responses=told(problems.NO_EXPORT))
async def delete_export(export_id: PathId, credential: CredentialOf, deps: DepsOf) -> None:
    """Have what was written down removed before it expires."""
    await exporting.delete_export(deps, credential, as_id(export_id, ExportNotFound))


@router.get(
    "/v1/exports/{export_id}/download",
    response_class=Response,
    responses={
        **answered(200, "A ZIP of `report.json` and a file for each service, a row a line", content=[CONTENT_TYPE]),
        **told(problems.NO_EXPORT, problems.EXPORT_NOT_READY, problems.EXPORT_EXPIRED, UNAVAILABLE),
    },
)
async def download_export(export_id: PathId, credential: CredentialOf, deps: DepsOf) -> Response:
    """Download what was written down."""
    wanted = as_id(export_id, ExportNotFound)
    export = await exporting.get_export(deps, credential, wanted)
    report = _view(export, deps.clock()).model_dump_json(indent=2).encode()
    content = await exporting.open_archive(deps, credential, wanted, report)
    headers = {
        "Content-Disposition": f'attachment; filename="export-{wanted}.zip"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(content, media_type=CONTENT_TYPE, headers=headers)
