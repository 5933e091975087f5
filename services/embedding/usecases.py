"""Indexing what there is to be found, and finding it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed
from libs.database import Database
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging import inbox
from libs.web import Caller
from services.embedding import domain, store
from services.embedding.adapters import Embedder
from services.embedding.domain import Hit, SearchMode, Source, SourceType


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with.

    Up to `exact_chunks` chunks of an organisation are all compared; beyond, the approximate index is searched.
    """

    database: Database
    embedder: Embedder
    exact_chunks: int


async def adopt_index(deps: Deps) -> None:
    """Make sure that the index holds vectors of the configured model; raises ModelChanged."""
    async with deps.database.transaction() as session:
        indexed = await store.claim_index(session, deps.embedder.model_id)
    if indexed != deps.embedder.model_id:
        raise domain.ModelChanged(indexed, deps.embedder.model_id)


async def index(deps: Deps, source: Source, *, consumer: str, event_id: str) -> None:
    """Index a source for one event: vectors first, then everything in one transaction.

    Nothing happens for an event that was applied before, a source that was removed, or an older revision.
    """
    pieces = domain.cut(source.text)
    vectors = store.vector_literals(await deps.embedder.embed([piece.content for piece in pieces]))
    indexed = [
        store.IndexedPiece(new_id(), piece.idx, piece.content, domain.content_hash(piece.content), vector)
        for piece, vector in zip(pieces, vectors, strict=True)
    ]
    async with deps.database.transaction(source.org_id or SYSTEM_ORG) as session:
        if not await inbox.is_new(session, consumer, event_id):
            return
        document_id = await store.save_document(session, new_id(), source, domain.content_hash(source.text))
        if document_id is None:
            return
        await store.replace_chunks(session, document_id, source, indexed)
        outbox.add(session, _indexed(document_id, source, len(indexed)))


def _indexed(document_id: UUID, source: Source, chunks: int) -> DocumentIndexed:
    event = DocumentIndexed(
        document_id=str(document_id),
        org_id=str(source.org_id or ""),
        source_type=str(source.type),
        source_id=source.id,
        chunks=chunks,
    )
    event.indexed_at.GetCurrentTime()
    return event


async def search(
    deps: Deps,
    caller: Caller,
    query: str,
    *,
    mode: SearchMode,
    source_types: Sequence[SourceType] | None,
    limit: int,
) -> list[Hit]:
    """Find documents of the caller's organisation and of everybody, best first; one hit a document."""
    vector = None
    if mode is not SearchMode.TEXT:
        (vector,) = store.vector_literals(await deps.embedder.embed([query]))
    depth = max(limit, domain.LEAST_DEPTH)
    rankings: list[list[Hit]] = []
    async with deps.database.transaction(caller.org_id) as session:
        if vector is not None:
            exact = not await store.has_more_chunks_than(session, caller.org_id, deps.exact_chunks)
            rankings.append(
                await store.search_by_meaning(
                    session, caller.org_id, vector, source_types=source_types, limit=depth, exact=exact
                )
            )
        if mode is not SearchMode.VECTOR:
            rankings.append(
                await store.search_by_words(session, caller.org_id, query, source_types=source_types, limit=depth)
            )
    return rankings[0][:limit] if len(rankings) == 1 else domain.fuse_hits(rankings, limit)
