"""How things become findable, and stop being so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import copy_context
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed, DocumentRemoved
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import SYSTEM_ORG
from libs.messaging import inbox
from services.embedding import domain
from services.embedding.store import documents, indexes
from services.embedding.usecases.deps import Deps
from services.embedding.usecases.filing import Entry
from services.embedding.usecases.models import embed_for_all, usable


async def index(deps: Deps, source: domain.Source, *, consumer: str, event_id: str) -> None:
    """Make `source` findable, once for each event and never after its removal; a newer revision takes its place.

    `consumer` is the durable that delivered the event. Raises Unavailable while no vectors can be had, and
    EmbeddingRefused.
    """
    pieces = domain.cut(source.text)
    vectors = await embed_for_all(deps, source.org_id, pieces)
    entry = Entry(source, pieces, vectors, consumer, UUID(event_id), copy_context())
    await deps.filing.file(entry, partial(_write, deps))


async def _write(deps: Deps, entries: Sequence[Entry]) -> None:
    """Write entries, no two of them of one source, in one transaction."""
    owners = sorted({entry.source.org_id or SYSTEM_ORG for entry in entries})
    async with deps.database.transaction(*owners, holding=indexes.WRITING) as session:
        fresh: list[Entry] = []
        for consumer in sorted({entry.consumer for entry in entries}):
            own = [entry for entry in entries if entry.consumer == consumer]
            new = await inbox.remember(session, consumer, [entry.event_id for entry in own])
            fresh += [entry for entry in own if entry.event_id in new]
        if not fresh:
            return
        saved = await documents.save_documents(session, [entry.source for entry in fresh])
        told = {saved[entry.source.key][0]: entry for entry in fresh if entry.source.key in saved}
        renewed = [document_id for document_id, was_there in saved.values() if was_there]
        if renewed:
            await documents.delete_chunks(session, renewed)
        counts = await documents.insert_chunks(
            session,
            [
                documents.NewChunks(document_id, entry.source, entry.pieces, await usable(deps, session, entry.vectors))
                for document_id, entry in told.items()
            ],
        )
        for document_id, entry in told.items():
            indexed = DocumentIndexed(
                document_id=str(document_id),
                org_id=str(entry.source.org_id or ""),
                source_type=entry.source.type,
                source_id=entry.source.id,
                chunks=counts[document_id],
                indexed_at=deps.clock(),
            )
            # In the trace of whoever brought it.
            entry.context.run(outbox.add, session, indexed)


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
