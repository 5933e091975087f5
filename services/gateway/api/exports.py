"""The routes by which an organisation's data, or a person's, are taken along."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi import Body as InBody
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse
from starlette.status import HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from libs.archive.zip_stream import CONTENT_TYPE
from libs.database import Cursor, page_of
from libs.outbox.exported_files import BYTES_MOST, FILES_MOST
from libs.web import PathId, as_id, told
from libs.web.described import answered
from libs.web.problems import UNAVAILABLE
from services.gateway.api import access_problems as problems
from services.gateway.api.fields import Body, PageQuery
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.domain.access import Credential
from services.gateway.domain.exports import Export, ExportNotFound, Files, Part, Status
from services.gateway.domain.members import MemberNotFound
from services.gateway.store import exports as store
from services.gateway.usecases import exporting
from services.gateway.usecases.deps import Deps

router = APIRouter()


class ExportedFile(BaseModel):
    """A file in the archive."""

    name: str = Field(examples=["voice.ndjson"])
    size_bytes: int
    sha256: str = Field(description="Of the file, in hexadecimal.")


class ExportedFiles(BaseModel):
    """The files that go along with the rows: audio, recordings, media. Each row names its own as `file`."""

    count: int
    size_bytes: int
    left_out: int = Field(description="How many are not in the archive.")
    left_out_bytes: int
    note: str | None = Field(description="Why some are left out, and how to get them; null if none are.")


class ExportPart(BaseModel):
    """What a service has written down, or why it could not."""

    service: str
    status: Literal["completed", "failed"]
    counts: dict[str, int] = Field(description="How many rows of each table.")
    file: ExportedFile | None = Field(description="None where there was nothing to write.")
    files: ExportedFiles | None = Field(description="Null where none were asked for, or there are none.")
    error: str | None = Field(description="The kind of error after the last of the tries.")
    tries: int
    exported_at: datetime


class ExportView(BaseModel):
    """How far an export is."""

    id: str
    status: Status = Field(description="failed: some service gave up; what the others wrote is there all the same.")
    user_id: str | None = Field(description="Whose data; null for all that is the organisation's.")
    include_audio: bool = Field(description="Whether the files go along: audio, recordings, media.")
    requested_at: datetime
    expires_at: datetime = Field(description="When its files are removed.")
    waits_for: list[str] = Field(description="The services that have not answered yet.")
    parts: list[ExportPart]


class ExportList(BaseModel):
    """Exports, newest first."""

    items: list[ExportView]
    next_cursor: str | None


class ExportWish(Body):
    """What is to be taken along."""

    include_audio: bool = Field(
        False, description="The files, too: the audio of generations, the recordings of voices, and media."
    )


def _files(files: Files) -> ExportedFiles | None:
    if not files.count and not files.left_out:
        return None
    note = (
        f"{files.left_out} files of {files.left_out_bytes} bytes are left out: an export takes along at most "
        f"{FILES_MOST} files and {BYTES_MOST} bytes of a service, the oldest first. Fetch them one by one: the rows "
        "name the routes that send them."
    )
    return ExportedFiles(
        count=files.count,
        size_bytes=files.size_bytes,
        left_out=files.left_out,
        left_out_bytes=files.left_out_bytes,
        note=note if files.left_out else None,
    )


def _part(part: Part) -> ExportPart:
    file = None
    if part.object_key is not None and part.sha256 is not None:
        file = ExportedFile(name=f"{part.service}.ndjson", size_bytes=part.size_bytes, sha256=part.sha256)
    return ExportPart(
        service=part.service,
        status="failed" if part.error else "completed",
        counts=dict(part.counts),
        file=file,
        files=_files(part.files),
        error=part.error,
        tries=part.tries,
        exported_at=part.exported_at,
    )


def _view(export: Export, now: datetime) -> ExportView:
    return ExportView(
        id=str(export.id),
        status=export.status(now),
        user_id=str(export.user_id) if export.user_id else None,
        include_audio=export.include_audio,
        requested_at=export.requested_at,
        expires_at=export.expires_at,
        waits_for=list(export.waits_for),
        parts=[_part(part) for part in export.parts],
    )


@router.post(
    "/v1/organization/export", status_code=HTTP_202_ACCEPTED, responses=told(problems.export_running(problems.EXAMPLE))
)
async def export_organization(
    credential: CredentialOf,
    deps: DepsOf,
    response: Response,
    wish: Annotated[ExportWish | None, InBody()] = None,
) -> ExportView:
    """Have every service write down all that it has of the organisation; without a body, no audio goes along."""
    return await _begin(deps, credential, None, response, include_audio=wish is not None and wish.include_audio)


@router.post(
    "/v1/members/{user_id}/export",
    status_code=HTTP_202_ACCEPTED,
    responses=told(problems.NO_MEMBER, problems.export_running(problems.EXAMPLE)),
)
async def export_member(user_id: PathId, credential: CredentialOf, deps: DepsOf, response: Response) -> ExportView:
    """Have every service write down what it has of a person in the organisation."""
    return await _begin(deps, credential, as_id(user_id, MemberNotFound), response)


async def _begin(
    deps: Deps, credential: Credential, user_id: UUID | None, response: Response, *, include_audio: bool = False
) -> ExportView:
    export_id = await exporting.begin_export(deps, credential, user_id, include_audio=include_audio)
    response.headers["Location"] = f"/v1/exports/{export_id}"
    return _view(await exporting.get_export(deps, credential, export_id), deps.clock())


@router.get("/v1/exports")
async def list_exports(credential: CredentialOf, deps: DepsOf, page: Annotated[PageQuery, Query()]) -> ExportList:
    """List the organisation's exports, and those of its people, newest first; deleted ones are gone."""
    after = Cursor.decode(page.cursor) if page.cursor else None
    async with deps.database.transaction(credential.org_id) as session:
        rows = await store.list_exports(session, credential.org_id, after=after, limit=page.limit)
    found = page_of(rows, page.limit, lambda row: Cursor(row.requested_at, row.id))
    now = deps.clock()
    return ExportList(items=[_view(one, now) for one in found.items], next_cursor=found.next_cursor)


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
        **answered(
            200,
            "A ZIP: `report.json`, a file of rows for each service, and their files",
            content=[CONTENT_TYPE],
        ),
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
