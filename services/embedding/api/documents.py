"""Documents that clients bring."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from libs.web import CallerOf, PathId, answered, as_id, header, told
from services.embedding import domain, usecases
from services.embedding.api import problems
from services.embedding.api.bringing import REQUEST_BODY, ClientType, read_brought
from services.embedding.api.parts import DepsOf, Storable
from services.embedding.store import knowledge

router = APIRouter()

_LOCATION = {"Location": header("The document.", "/v1/documents/01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61")}
_NOT_FOUND = told(problems.NOT_FOUND)
_KEPT = told(problems.NOT_FOUND, problems.owned(domain.DocumentOwned("voice")))


class DocumentView(BaseModel):
    """A document as clients see it; a failed one says why. Times are UTC."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    source_type: str
    source_id: str
    title: str
    status: domain.Status
    chunks: int
    metadata: dict[str, Any]  # Any: JSON
    error: str | None
    created_at: datetime
    updated_at: datetime


class DocumentList(BaseModel):
    """One page of documents, newest first."""

    items: list[DocumentView]
    next_cursor: str | None


@router.post(
    "/v1/documents",
    status_code=202,
    responses={
        **answered(202, "The document, still to be indexed", headers=_LOCATION),
        200: {"model": DocumentView, "description": "The document that has this very text", "headers": _LOCATION},
        **told(problems.TOO_LARGE),
    },
    openapi_extra=REQUEST_BODY,
)
async def submit_document(request: Request, caller: CallerOf, deps: DepsOf, response: Response) -> DocumentView:
    """Bring a text, or a file with one (PDF, text, Markdown, HTML, subtitles), that is to be found.

    A file comes in a form, or is named by `upload_id` once its upload is finished; the upload may be deleted then.

    It is indexed soon; 200 if the very same is there already. A PDF is read in the background: one without text or with
    a password becomes `failed`, and says so. Its passages have their `page` in their metadata.
    """
    brought = await read_brought(request, partial(usecases.fetch_upload, deps, caller))
    fields = brought.fields
    document, is_new = await usecases.submit_document(
        deps,
        caller,
        source_type=domain.SourceType(fields.source_type),
        source_id=fields.source_id,
        title=brought.title,
        content=brought.content,
        metadata=fields.metadata,
    )
    response.status_code = 202 if is_new else 200
    response.headers["location"] = f"/v1/documents/{document.id}"
    return DocumentView.model_validate(document)


@router.get("/v1/documents")
async def list_documents(
    caller: CallerOf,
    deps: DepsOf,
    source_type: Annotated[domain.SourceType | None, Query(description="What it was made of.")] = None,
    source_id: Annotated[
        Storable | None, Query(max_length=200, description="The id of what it was made of, or your own.")
    ] = None,
    status: Annotated[domain.Status | None, Query(description="What has become of it.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> DocumentList:
    """List what can be found, or will be: what clients brought, generations and custom voices."""
    filters = knowledge.Filters(source_type, source_id, status)
    async with deps.database.transaction(caller.org_id) as session:
        page = await knowledge.list_documents(session, caller.org_id, filters, limit, cursor)
    return DocumentList(
        items=[DocumentView.model_validate(document) for document in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/documents/{document_id}", responses=_NOT_FOUND)
async def get_document(document_id: PathId, caller: CallerOf, deps: DepsOf) -> DocumentView:
    """Return one document, and what has become of it."""
    async with deps.database.transaction(caller.org_id) as session:
        document = await knowledge.get_document(session, caller.org_id, as_id(document_id, domain.DocumentNotFound))
    if document is None:
        raise domain.DocumentNotFound
    return DocumentView.model_validate(document)


@router.delete("/v1/documents/{document_id}", status_code=204, responses=_KEPT)
async def remove_document(document_id: PathId, caller: CallerOf, deps: DepsOf) -> None:
    """Remove a document that you brought."""
    await usecases.remove_document(deps, caller, as_id(document_id, domain.DocumentNotFound))


@router.delete("/v1/documents", status_code=204, responses=_KEPT)
async def remove_source(
    caller: CallerOf,
    deps: DepsOf,
    source_type: Annotated[ClientType, Query(description="As it was brought.")],
    source_id: Annotated[Storable, Query(min_length=1, max_length=200, description="Your own id of it.")],
) -> None:
    """Remove the document that you brought under an id of your own."""
    await usecases.remove_source(deps, caller, domain.SourceType(source_type), source_id)
