"""How chunks are searched: by meaning and by words, each document once, by its best chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Double, Null, Select, and_, cast, func, null, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.embedding.domain import Hit, SourceType
from services.embedding.store.tables import chunks, documents, half_vector

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
    """What a search may find: an organisation's documents and everybody's, of some types or (None) of all."""

    org_id: UUID
    source_types: Sequence[SourceType] | None

    def own(self) -> ColumnElement[bool]:
        """The organisation's own chunks."""
        return self._typed(chunks.c.org_id == self.org_id)

    def all(self) -> ColumnElement[bool]:
        """Everybody's chunks too."""
        return self._typed(or_(chunks.c.org_id == self.org_id, chunks.c.org_id.is_(None)))

    def _typed(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return and_(condition, chunks.c.source_type.in_(self.source_types)) if self.source_types else condition


async def list_nearest(
    session: AsyncSession, scope: Scope, query: NDArray[np.float32], limit: int, *, exact_chunks: int
) -> list[Hit]:
    """The documents nearest in meaning; always as many as there are, up to `limit`.

    Up to `exact_chunks` of the organisation's chunks are all compared; of more, the index finds almost all of the
    nearest. `query` is a vector of length 1; score and similarity are the cosine.
    """
    await _plan_each(session)
    counted = select(1).where(scope.own()).limit(exact_chunks + 1).subquery()
    if (await session.execute(select(func.count()).select_from(counted))).scalar_one() > exact_chunks:
        hits = await list_nearest_by_index(session, scope, query, limit)
        if len(hits) == limit:
            return hits
        # The index ends its scan early where most of what it meets is others'.
    return await _list(session, _best(_measured(scope, query), limit))


async def list_nearest_by_index(
    session: AsyncSession, scope: Scope, query: NDArray[np.float32], limit: int
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
    hits = await _list(session, _best(nearest, limit))
    await _set(session, {"enable_sort": "on"})
    return hits


async def list_worded(
    session: AsyncSession, scope: Scope, words: str, limit: int, *, query: NDArray[np.float32] | None
) -> list[Hit]:
    """The documents with all `words`, in which clients may quote phrases, write `or`, and exclude by a minus.

    Those in whose chunk the words are dense and close come first. With a `query` vector, the hits have similarities.
    """
    await _plan_each(session)
    wanted = func.websearch_to_tsquery("simple", words)
    # 1: divided by 1 + the logarithm of the length.
    rank = cast(func.ts_rank_cd(chunks.c.words, wanted, 1), Double)
    similarity: ColumnElement[float] | Null = null() if query is None else 1 - _distance(query)
    matching = select(chunks.c.id, chunks.c.document_id, rank.label("score"), similarity.label("similarity"))
    return await _list(session, _best(matching.where(scope.all(), chunks.c.words.op("@@")(wanted)), limit))


def _measured(scope: Scope, query: NDArray[np.float32]) -> Select[Any]:  # Any: id, document_id, score, similarity
    similarity = 1 - _distance(query)
    columns = (chunks.c.id, chunks.c.document_id, similarity.label("score"), similarity.label("similarity"))
    return select(*columns).where(scope.all())


def _distance(query: NDArray[np.float32]) -> ColumnElement[float]:
    return chunks.c.embedding.op("<=>", return_type=Double())(half_vector(query))


def _best(found: Select[Any], limit: int) -> Select[Any]:
    """The `limit` best documents of the chunks found, as they are shown; equal ones in a fixed order."""
    every = found.subquery("every")
    once = (
        select(every)
        .distinct(every.c.document_id)
        .order_by(every.c.document_id, every.c.score.desc(), every.c.id)
        .subquery("once")
    )
    best = select(once).order_by(once.c.score.desc(), once.c.document_id).limit(limit).subquery("best")
    return (
        select(
            documents.c.id.label("document_id"),
            documents.c.source_type,
            documents.c.source_id,
            documents.c.title,
            chunks.c.content.label("text"),
            best.c.score,
            best.c.similarity,
        )
        .select_from(best)
        .join(chunks, chunks.c.id == best.c.id)
        .join(documents, documents.c.id == best.c.document_id)
        .order_by(best.c.score.desc(), best.c.document_id)
    )


async def _list(session: AsyncSession, statement: Select[Any]) -> list[Hit]:
    return [Hit(**row._asdict()) for row in await session.execute(statement)]


async def _plan_each(session: AsyncSession) -> None:
    """Plan for the very parameters: what is best for a large organisation is worst for a small one."""
    await _set(session, {"plan_cache_mode": "force_custom_plan"})


async def _set(session: AsyncSession, settings: dict[str, str]) -> None:
    await session.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))
