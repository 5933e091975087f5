"""Documents that clients bring: kept, indexed, and removed."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.embedding.v1.events_pb2 import (
    DocumentFailed,
    DocumentIndexed,
    DocumentRemoved,
    DocumentSubmitted,
)
from libs.ids import new_id
from libs.messaging import Delivery, Unavailable, inbox
from libs.web import Caller
from services.embedding import domain
from services.embedding.store import documents, indexes, knowledge
from services.embedding.usecases.deps import Deps
from services.embedding.usecases.models import embed_for_all, usable

INDEX_DOCUMENT = "embedding-index_document"
"""The durable of the consumer that indexes: what the inbox remembers is its."""
_TYPES_OF_EVENTS = (domain.SourceType.VOICE, domain.SourceType.GENERATION)


async def submit_document(
    deps: Deps,
    caller: Caller,
    *,
    source_type: domain.SourceType,
    source_id: str | None,
    title: str,
    content: str | bytes,
    metadata: Mapping[str, str],
) -> tuple[domain.Document, bool]:
    """Keep a text, or a PDF's bytes, to be indexed; return its document and whether there is anything new to index.

    The same again, from the same source if one is named, is the document that there is. Another text of a source
    takes the place of its former one, which is found until the new one is.
    """
    content_hash = domain.content_hash(content)
    document_id = new_id()
    async with deps.database.transaction(caller.org_id) as session:
        equal = await knowledge.get_equal(session, caller.org_id, source_type, source_id, content_hash)
        if equal is not None and equal.title == title and equal.metadata == metadata:
            return equal, False
        document = await knowledge.save_pending(
            session,
            knowledge.NewDocument(
                id=document_id,
                org_id=caller.org_id,
                source_type=source_type,
                source_id=source_id or (equal.source_id if equal else str(document_id)),
                title=title,
                content_hash=content_hash,
                content=content,
                metadata=metadata,
            ),
        )
        submitted = DocumentSubmitted(
            document_id=str(document.id),
            org_id=str(caller.org_id),
            source_type=document.source_type,
            source_id=document.source_id,
            revision=document.revision,
            submitted_at=deps.clock(),
        )
        outbox.add(session, submitted)
    return document, True


async def index_document(deps: Deps, delivery: Delivery[DocumentSubmitted]) -> None:
    """Read and cut what waits, embed what is not embedded yet, and make it findable.

    Raises Unavailable while no vectors can be had, and EmbeddingRefused.
    """
    event = delivery.event
    org_id, document_id = UUID(event.org_id), UUID(event.document_id)
    async with deps.database.transaction(org_id) as session:
        waiting = await knowledge.get_pending(session, document_id, event.revision)
    if waiting is None:
        return
    document, content = waiting
    try:
        reading = await _read(deps, content)
    except domain.FileRefused as reason:
        await fail_document(deps, delivery, str(reason))
        return
    pieces = domain.cut(reading.text)
    vectors = await embed_for_all(deps, org_id, pieces)
    source = domain.Source(
        org_id=org_id,
        type=domain.SourceType(document.source_type),
        id=document.source_id,
        revision=event.revision,
        title=document.title or domain.title_of(reading.text),
        text=reading.text,
        metadata=document.metadata,
    )
    async with deps.database.transaction(org_id, holding=indexes.WRITING) as session:
        if not await inbox.is_new(session, INDEX_DOCUMENT, delivery.event_id):
            return
        if not await knowledge.finish(session, document_id, event.revision, title=source.title):
            return  # removed, or brought anew meanwhile
        await documents.delete_chunks(session, [document_id])
        pages = [reading.page_at(piece.start) for piece in pieces] if reading.pages else None
        new = documents.NewChunks(document_id, source, pieces, await usable(deps, session, vectors), pages)
        counts = await documents.insert_chunks(session, [new])
        indexed = DocumentIndexed(
            document_id=str(document_id),
            org_id=str(org_id),
            source_type=document.source_type,
            source_id=document.source_id,
            chunks=counts[document_id],
            indexed_at=deps.clock(),
        )
        outbox.add(session, indexed)


async def _read(deps: Deps, content: str | bytes) -> domain.Reading:
    """Return the text of what was brought. Raises FileRefused, and Unavailable while no file can be read."""
    if isinstance(content, str):
        return domain.Reading(content)
    try:
        return await deps.pdf.read(content)
    except domain.FilesUnreadable as error:
        raise Unavailable(str(error)) from error


async def fail_document(deps: Deps, delivery: Delivery[DocumentSubmitted], reason: str) -> None:
    """Tell, once, that a text cannot be found; `reason` is for the client."""
    event = delivery.event
    org_id, document_id = UUID(event.org_id), UUID(event.document_id)
    async with deps.database.transaction(org_id) as session:
        if not await knowledge.finish(session, document_id, event.revision, error=reason):
            return
        failed = DocumentFailed(
            document_id=event.document_id,
            org_id=event.org_id,
            source_type=event.source_type,
            source_id=event.source_id,
            reason=reason,
            failed_at=deps.clock(),
        )
        outbox.add(session, failed)


async def remove_document(deps: Deps, caller: Caller, document_id: UUID) -> None:
    """Remove a document that a client has brought. Raises DocumentNotFound, DocumentOwned."""
    async with deps.database.transaction(caller.org_id) as session:
        document = await knowledge.get_document(session, caller.org_id, document_id)
        if document is None or not await knowledge.remove_document(session, document_id):
            raise domain.DocumentNotFound
        if document.source_type in _TYPES_OF_EVENTS:
            raise domain.DocumentOwned(document.source_type)
        await documents.delete_chunks(session, [document_id])
        removed = DocumentRemoved(
            document_id=str(document_id),
            org_id=str(caller.org_id),
            source_type=document.source_type,
            source_id=document.source_id,
            removed_at=deps.clock(),
        )
        outbox.add(session, removed)


async def remove_source(deps: Deps, caller: Caller, source_type: domain.SourceType, source_id: str) -> None:
    """Remove the document of a source. Raises DocumentNotFound, DocumentOwned."""
    async with deps.database.transaction(caller.org_id) as session:
        found = await knowledge.lock_source(session, caller.org_id, source_type, source_id)
    if not found:
        raise domain.DocumentNotFound
    await remove_document(deps, caller, found[0])
