"""How chunks are searched: by meaning and by words, each document once, by its best chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Double, Row, Select, Text, and_, cast, column, func, literal, null, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.embedding.domain import Hit, SourceType
from services.embedding.store.tables import UUID_TYPE, HalfVector, chunks, documents

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CANDIDATES: Final = 2
"""Chunks taken from the index for each document wanted: most documents have one or two near the query."""
_EF_SEARCH_LEAST: Final = 100
_EF_SEARCH_MOST: Final = 1_000
"""pgvector's own limit."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may find: an organisation's documents and everybody's, of some types or (None) of all.

    `source_ids` are of those types; `metadata` is what a document must say of itself; `since` and `until` are when its
    chunks were made.
    """

    org_id: UUID
    source_types: Sequence[SourceType] | None
    source_ids: Sequence[str] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> ColumnElement[bool]:
        """What chunks have to fulfil."""
        conditions = [or_(chunks.c.org_id == self.org_id, chunks.c.org_id.is_(None)), *self.narrowing()]
        if self.source_types:
            conditions.append(chunks.c.source_type.in_(self.source_types))
        return and_(*conditions)

    def narrowing(self) -> list[ColumnElement[bool]]:
        """What chunks have to fulfil besides belonging to the organisation and the types."""
        conditions: list[ColumnElement[bool]] = []
        if self.source_ids:
            own = select(documents.c.id).where(documents.c.source_id.in_(self.source_ids))
            conditions.append(chunks.c.document_id.in_(own))
        if self.metadata:
            conditions.append(chunks.c.metadata.contains(dict(self.metadata)))
        if self.since is not None:
            conditions.append(chunks.c.created_at >= self.since)
        if self.until is not None:
            conditions.append(chunks.c.created_at < self.until)
        return conditions

    def types(self) -> ColumnElement[Sequence[str]]:
        """As the database's functions take it; they see to the organisation themselves."""
        return cast(self.source_types, ARRAY(Text))


async def list_nearest(
    session: AsyncSession,
    scope: Scope,
    query: NDArray[np.float32],
    limit: int,
    *,
    exact_chunks: int,
    by_chunk: bool = False,
) -> list[Hit]:
    """The documents nearest in meaning; always as many as there are, up to `limit`.

    Up to `exact_chunks` of the organisation's chunks are all compared; of more, the index finds almost all of the
    nearest. `query` is a vector of length 1; score and similarity are the cosine. `by_chunk` wants the nearest chunks,
    however many of them are of one document.
    """
    # Planned for the very parameters: what is best for a large organisation is worst for a small one.
    planning = func.set_config("plan_cache_mode", "force_custom_plan", True)
    counted = await session.execute(select(func.count_chunks(exact_chunks + 1, scope.types()), planning))
    if counted.scalar_one() > exact_chunks:
        hits = await list_nearest_by_index(session, scope, query, limit, by_chunk=by_chunk)
        if len(hits) == limit:
            return hits
        # The index ends its scan early where most of what it meets is others'.
    return await _list_best(session, _measured(scope, query), limit, query, by_chunk=by_chunk)


async def list_nearest_by_index(
    session: AsyncSession, scope: Scope, query: NDArray[np.float32], limit: int, *, by_chunk: bool = False
) -> list[Hit]:
    """Almost all of the documents nearest in meaning; may be fewer than `limit` though there are more."""
    candidates = _CANDIDATES * limit
    reach = min(max(candidates, _EF_SEARCH_LEAST), _EF_SEARCH_MOST)
    settings = {
        # What comes out of order is put in order here; pgvector's strict order would leave it out.
        "hnsw.iterative_scan": "relaxed_order",
        "hnsw.ef_search": str(reach),
        # Row-level security hides from the planner how many chunks an organisation has. It supposes few and would
        # rather fetch and sort them all.
        "enable_sort": "off",
    }
    await _set(session, settings)
    nearest = _measured(scope, query).order_by(_distance(query)).limit(candidates)
    hits = await _list_best(session, nearest, limit, query, by_chunk=by_chunk)
    await _set(session, {"enable_sort": "on"})
    return hits


async def list_worded(
    session: AsyncSession,
    scope: Scope,
    words: str,
    limit: int,
    *,
    query: NDArray[np.float32] | None,
    by_chunk: bool = False,
) -> list[Hit]:
    """The documents with all `words`, in which clients may quote phrases, write `or`, and exclude by a minus.

    Those in whose chunk the words are dense and close come first. With a `query` vector, the hits have similarities.
    """
    wanted = func.websearch_to_tsquery("simple", words)
    columns = (column("id", UUID_TYPE), column("document_id", UUID_TYPE), column("score", Double))
    found = func.chunks_with_words(wanted, scope.types()).table_valued(*columns)
    matching = select(found)
    narrowing = scope.narrowing()
    if narrowing:
        matching = matching.join(chunks, chunks.c.id == found.c.id).where(*narrowing)
    return await _list_best(session, matching, limit, query, by_chunk=by_chunk)


def _measured(scope: Scope, query: NDArray[np.float32]) -> Select[Any]:
    return select(chunks.c.id, chunks.c.document_id, (1 - _distance(query)).label("score")).where(scope.condition())


def _distance(query: NDArray[np.float32]) -> ColumnElement[float]:
    return chunks.c.embedding.op("<=>", return_type=Double())(literal(query, HalfVector()))


async def _list_best(
    session: AsyncSession,
    found: Select[Any],  # Any: id, document_id and score of chunks
    limit: int,
    query: NDArray[np.float32] | None,
    *,
    by_chunk: bool,
) -> list[Hit]:
    """The `limit` best of the chunks found, or documents, each by its best chunk; equal ones in a fixed order."""
    every = found.subquery("every")
    per_document = (
        select(every)
        .distinct(every.c.document_id)
        .order_by(every.c.document_id, every.c.score.desc(), every.c.id)
        .subquery("once")
    )
    once = every if by_chunk else per_document
    best = select(once).order_by(once.c.score.desc(), once.c.document_id, once.c.id).limit(limit).subquery("best")
    similarity: ColumnElement[Any] = null() if query is None else 1 - _distance(query)
    statement = (
        select(
            documents.c.id.label("document_id"),
            documents.c.source_type,
            documents.c.source_id,
            documents.c.title,
            chunks.c.content.label("text"),
            best.c.score,
            similarity.label("similarity"),
            chunks.c.metadata,
        )
        .select_from(best)
        .join(chunks, chunks.c.id == best.c.id)
        .join(documents, documents.c.id == best.c.document_id)
        .order_by(best.c.score.desc(), best.c.document_id, best.c.id)
    )
    return [_hit(row) for row in await session.execute(statement)]


def _hit(row: Row[Any]) -> Hit:  # Any: the columns above
    fields = row._asdict()
    said = dict(fields.pop("metadata"))
    return Hit(**fields, start=said.pop("start", 0), end=said.pop("end", len(row.text)), metadata=said)


async def _set(session: AsyncSession, settings: dict[str, str]) -> None:
    await session.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))
