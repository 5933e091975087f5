"""How things become findable, stop being so, and are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed, DocumentRemoved
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.database import Database
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging import Unavailable, inbox
from libs.web import Caller
from services.embedding import domain
from services.embedding.adapters import Embedder, Vectors
from services.embedding.store import documents, hits


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with. Up to `exact_chunks` chunks of an organisation are all compared in a search."""

    database: Database
    embedder: Embedder
    clock: Callable[[], datetime]
    exact_chunks: int


async def adopt_model(deps: Deps) -> None:
    """Make sure that the index holds the configured model's vectors and no other's; raises ModelChanged."""
    configured = deps.embedder.model_id
    async with deps.database.transaction() as session:
        indexed = await documents.adopt_model(session, configured)
    if indexed != configured:
        raise domain.ModelChanged(indexed, configured)


async def index(deps: Deps, source: domain.Source, *, consumer: str, event_id: str) -> None:
    """Make `source` findable, once for each event and never after its removal; a newer revision takes its place.

    `consumer` is the durable that delivered the event. Raises Unavailable while no vectors can be had, and
    EmbeddingRefused.
    """
    pieces = domain.cut(source.text)
    vectors = await _embed(deps.embedder, pieces)
    async with deps.database.transaction(source.org_id or SYSTEM_ORG) as session:
        if not await inbox.is_new(session, consumer, event_id):
            return
        if_new = new_id()
        document_id = await documents.save_document(session, source, if_new)
        if document_id is None:
            return
        if document_id != if_new:
            await documents.delete_chunks(session, [document_id])
        count = await documents.insert_chunks(session, document_id, source, pieces, vectors)
        outbox.add(
            session,
            DocumentIndexed(
                document_id=str(document_id),
                org_id=str(source.org_id or ""),
                source_type=source.type,
                source_id=source.id,
                chunks=count,
                indexed_at=deps.clock(),
            ),
        )


async def _embed(embedder: Embedder, pieces: tuple[domain.Piece, ...]) -> Vectors:
    try:
        return await embedder.embed([piece.content for piece in pieces])
    except domain.EmbeddingUnavailable as error:
        raise Unavailable(str(error)) from error


async def remove(
    session: AsyncSession,
    source_type: domain.SourceType,
    causes: Mapping[tuple[UUID | None, str], VoiceDeleted | GenerationDeleted],
) -> None:
    """Let what `causes` are about, by (organisation, id), be found no more, however late it is told of."""
    for document_id, org_id, source_id in await documents.bury_documents(session, source_type, list(causes)):
        cause = causes[org_id, source_id]
        removed = DocumentRemoved(
            document_id=str(document_id),
            org_id=str(org_id or ""),
            source_type=source_type,
            source_id=source_id,
            removed_at=cause.deleted_at,
        )
        outbox.add(session, removed, cause=cause)


async def search(
    deps: Deps,
    caller: Caller,
    query: str,
    *,
    mode: domain.SearchMode,
    source_types: list[domain.SourceType] | None,
    limit: int,
) -> list[domain.Hit]:
    """Find documents of the caller's organisation and everybody's, best first, each once.

    Raises EmbeddingRefused and EmbeddingUnavailable, but not when searching by words alone.
    """
    vector = None if mode is domain.SearchMode.TEXT else (await deps.embedder.embed([query]))[0]
    depth = max(limit, domain.LEAST_DEPTH) if mode is domain.SearchMode.HYBRID else limit
    scope = hits.Scope(caller.org_id, source_types)
    near: list[domain.Hit] = []
    worded: list[domain.Hit] = []
    async with deps.database.transaction(caller.org_id) as session:
        if vector is not None:
            near = await hits.list_nearest(session, scope, vector, depth, exact_chunks=deps.exact_chunks)
        if mode is not domain.SearchMode.VECTOR:
            worded = await hits.list_worded(session, scope, query, depth, query=vector)
    return domain.fuse_hits([near, worded], limit) if mode is domain.SearchMode.HYBRID else near or worded
