"""Documents that clients bring, and all documents as they are listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor, Page, page_of
from services.embedding.domain import Document, SourceType, Status
from services.embedding.store.tables import UUID_TYPE, chunks, document_texts, documents

_COLUMNS = (
    documents.c.id,
    documents.c.source_type,
    documents.c.source_id,
    documents.c.title,
    documents.c.status,
    select(func.count()).where(chunks.c.document_id == documents.c.id).scalar_subquery().label("chunks"),
    documents.c.metadata,
    documents.c.error,
    documents.c.revision,
    documents.c.created_at,
    documents.c.updated_at,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which documents to list."""

    source_type: SourceType | None = None
    source_id: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What a client brings: a text, or a file that is still to be read.

    `id` is taken if there is none of the source yet.
    """

    id: UUID
    org_id: UUID
    source_type: SourceType
    source_id: str
    title: str
    content_hash: str
    content: str | bytes
    metadata: Mapping[str, str]


async def get_document(session: AsyncSession, org_id: UUID, document_id: UUID) -> Document | None:
    """Return a document of the organisation that was not removed."""
    statement = select(*_COLUMNS).where(
        documents.c.id == document_id, documents.c.org_id == org_id, documents.c.status != "removed"
    )
    row = (await session.execute(statement)).one_or_none()
    return _document(row) if row else None


async def get_equal(
    session: AsyncSession, org_id: UUID, source_type: SourceType, source_id: str | None, content_hash: str
) -> Document | None:
    """Return a document with this very text, of this source if one is named."""
    statement = select(*_COLUMNS).where(
        documents.c.org_id == org_id,
        documents.c.source_type == source_type,
        documents.c.content_hash == content_hash,
        documents.c.status.in_(("pending", "indexed")),
    )
    if source_id is not None:
        statement = statement.where(documents.c.source_id == source_id)
    row = (await session.execute(statement.order_by(documents.c.id).limit(1))).one_or_none()
    return _document(row) if row else None


async def list_documents(
    session: AsyncSession, org_id: UUID, filters: Filters, limit: int, cursor: str | None
) -> Page[Document]:
    """Return a page of the organisation's documents, newest first. Raises InvalidCursor."""
    statement = select(*_COLUMNS).where(documents.c.org_id == org_id, documents.c.status != "removed")
    for column, wanted in (
        (documents.c.source_type, filters.source_type),
        (documents.c.source_id, filters.source_id),
        (documents.c.status, filters.status),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if cursor is not None:
        behind = Cursor.decode(cursor)
        statement = statement.where(
            tuple_(documents.c.created_at, documents.c.id) < tuple_(literal(behind.at), literal(behind.id, UUID_TYPE))
        )
    statement = statement.order_by(documents.c.created_at.desc(), documents.c.id.desc()).limit(limit + 1)
    rows = [_document(row) for row in await session.execute(statement)]
    return page_of(rows, limit, lambda document: Cursor(document.created_at, document.id))


async def save_pending(session: AsyncSession, new: NewDocument) -> Document:
    """Keep a text to be indexed: of a new document, or as the next revision of the one that there is of its source."""
    fields = {
        "title": new.title,
        "status": "pending",
        "content_hash": new.content_hash,
        "metadata": dict(new.metadata),
        "error": None,
    }
    statement = upsert(documents).values(
        id=new.id, org_id=new.org_id, source_type=new.source_type, source_id=new.source_id, revision=1, **fields
    )
    saved = statement.on_conflict_do_update(
        constraint="documents_source", set_={**fields, "revision": documents.c.revision + 1}
    ).returning(*_COLUMNS)
    document = _document((await session.execute(saved)).one())
    await session.execute(delete(document_texts).where(document_texts.c.document_id == document.id))
    waiting = {"text" if isinstance(new.content, str) else "content": new.content}
    await session.execute(insert(document_texts).values(document_id=document.id, org_id=new.org_id, **waiting))
    return document


async def get_pending(session: AsyncSession, document_id: UUID, revision: int) -> tuple[Document, str | bytes] | None:
    """Return a document and its text or file, if this revision still waits to be indexed."""
    statement = (
        select(*_COLUMNS, document_texts.c.text, document_texts.c.content)
        .join(document_texts, document_texts.c.document_id == documents.c.id)
        .where(documents.c.id == document_id, documents.c.revision == revision, documents.c.status == "pending")
    )
    row = (await session.execute(statement)).one_or_none()
    return (_document(row), row.content if row.text is None else row.text) if row else None


async def finish(
    session: AsyncSession, document_id: UUID, revision: int, *, title: str | None = None, error: str | None = None
) -> bool:
    """Mark a pending document as indexed, or failed because of `error`; False if it is no longer this revision's.

    It gets the `title` that is given.
    """
    statement = (
        update(documents)
        .where(documents.c.id == document_id, documents.c.revision == revision, documents.c.status == "pending")
        .values(status="failed" if error else "indexed", error=error, title=func.coalesce(title, documents.c.title))
        .returning(documents.c.id)
    )
    if (await session.execute(statement)).one_or_none() is None:
        return False
    await session.execute(delete(document_texts).where(document_texts.c.document_id == document_id))
    return True


async def lock_source(session: AsyncSession, org_id: UUID, source_type: SourceType, source_id: str) -> Sequence[UUID]:
    """Return the documents of a source, none or one, and hold them until the transaction ends."""
    statement = (
        select(documents.c.id)
        .where(
            documents.c.org_id == org_id,
            documents.c.source_type == source_type,
            documents.c.source_id == source_id,
            documents.c.status != "removed",
        )
        .with_for_update()
    )
    return (await session.execute(statement)).scalars().all()


async def remove_document(session: AsyncSession, document_id: UUID) -> bool:
    """Empty a document for good; False if it is removed already. Its chunks are the caller's to delete."""
    statement = (
        update(documents)
        .where(documents.c.id == document_id, documents.c.status != "removed")
        .values(
            status="removed",
            title="",
            content_hash=None,
            metadata={},
            error=None,
            revision=documents.c.revision + 1,
        )
        .returning(documents.c.id)
    )
    if (await session.execute(statement)).first() is None:
        return False
    await session.execute(delete(document_texts).where(document_texts.c.document_id == document_id))
    return True


def _document(row: Row[Any]) -> Document:  # Any: the columns above
    fields = row._asdict()
    return Document(**{name: fields[name] for name in Document.__dataclass_fields__} | {"status": Status(row.status)})
