"""How things become findable, stop being so, and are found."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed, DocumentRemoved
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.database import Database
from libs.ids import SYSTEM_ORG
from libs.messaging import Unavailable, inbox
from libs.web import Caller
from services.embedding import domain
from services.embedding.adapters import Embedder, Vectors
from services.embedding.store import documents, hits


@dataclass(frozen=True, slots=True)
class Entry:
    """A source with its vectors, as an event brought it: to `consumer`, in the trace of `context`."""

    source: domain.Source
    pieces: Sequence[domain.Piece]
    vectors: Vectors
    consumer: str
    event_id: UUID
    context: Context


class Filing:
    """Writes what concurrent events bring together.

    What comes alone is written at once, and what comes while that is under way together after it: nobody waits for
    company.
    """

    def __init__(self) -> None:
        """Nothing is to be written yet."""
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def file(self, entry: Entry, write: Callable[[Sequence[Entry]], Awaitable[None]]) -> None:
        """Return once `entry` is written. Raises what `write` raises of it alone."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._writing is None:
            # In a context of its own: it outlives whoever comes first.
            self._writing = asyncio.create_task(self._write(write), context=Context())
        await done

    async def _write(self, write: Callable[[Sequence[Entry]], Awaitable[None]]) -> None:
        try:
            while self._waiting:
                await self._write_some(self._next(), write)
        finally:
            self._writing = None

    def _next(self) -> dict[domain.SourceKey, tuple[Entry, asyncio.Future[None]]]:
        """Take what waits, of each source the first; who gave up meanwhile is left out."""
        chosen: dict[domain.SourceKey, tuple[Entry, asyncio.Future[None]]] = {}
        rest = []
        for entry, done in self._waiting:
            if done.done():
                continue
            if entry.source.key in chosen:
                rest.append((entry, done))
            else:
                chosen[entry.source.key] = entry, done
        self._waiting = rest
        return chosen

    async def _write_some(
        self,
        chosen: dict[domain.SourceKey, tuple[Entry, asyncio.Future[None]]],
        write: Callable[[Sequence[Entry]], Awaitable[None]],
    ) -> None:
        if not chosen:
            return
        try:
            await write([entry for entry, _ in chosen.values()])
        except Exception as error:  # noqa: BLE001 - whoever brought it has to hear of it
            if len(chosen) > 1:
                # It may be for one of them.
                for key, one in chosen.items():
                    await self._write_some({key: one}, write)
                return
            ((_, done),) = chosen.values()
            if not done.done():
                done.set_exception(error)
        else:
            for _, done in chosen.values():
                if not done.done():
                    done.set_result(None)


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with. Up to `exact_chunks` chunks of an organisation are all compared in a search."""

    database: Database
    embedder: Embedder
    clock: Callable[[], datetime]
    exact_chunks: int
    filing: Filing = field(default_factory=Filing)


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
    entry = Entry(source, pieces, vectors, consumer, UUID(event_id), copy_context())
    await deps.filing.file(entry, partial(_write, deps))


async def _write(deps: Deps, entries: Sequence[Entry]) -> None:
    """Write entries, no two of them of one source, in one transaction."""
    owners = sorted({entry.source.org_id or SYSTEM_ORG for entry in entries})
    async with deps.database.transaction(*owners) as session:
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
                documents.NewChunks(document_id, entry.source, entry.pieces, entry.vectors)
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
