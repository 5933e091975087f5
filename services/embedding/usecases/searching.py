"""How things are found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.embedding import domain
from services.embedding.store import hits, indexes, nearest, words
from services.embedding.store.indexes import QueryVector
from services.embedding.store.scope import Scope
from services.embedding.usecases.deps import Deps
from services.embedding.usecases.models import model_to_search

PASSAGES_MOST = 100
"""Chunks that are looked at for a prompt."""
_TRIES: Final = 3
"""How often a search begins anew as its index was dropped: each time another one is active."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, and where. Hits are at least `least_similarity` near if it is given."""

    query: str
    mode: domain.SearchMode
    scope: Scope
    least_similarity: float | None = None


async def search(deps: Deps, wanted: Wanted, limit: int) -> list[domain.Hit]:
    """Find documents of the organisation and everybody's, best first, each once, by its best chunk.

    Raises SearchTooSlow; EmbeddingRefused and EmbeddingUnavailable, but not when searching by words alone.
    """
    return await _find(deps, wanted, limit, by_chunk=False)


async def find_passages(deps: Deps, wanted: Wanted, tokens: int) -> list[domain.Hit]:
    """Find the passages that tell most of what is wanted in at most `tokens`, best first; raises what `search` does."""
    return domain.within_budget(await _find(deps, wanted, PASSAGES_MOST, by_chunk=True), tokens)


async def _find(deps: Deps, wanted: Wanted, limit: int, *, by_chunk: bool) -> list[domain.Hit]:
    fuse = domain.fuse_passages if by_chunk else domain.fuse_documents
    for _ in range(_TRIES):
        vector = None if wanted.mode is domain.SearchMode.TEXT else await _vector(deps, wanted.query)
        try:
            async with (
                asyncio.timeout(deps.search_seconds),
                deps.database.transaction(wanted.scope.org_id, holding=nearest.SETTINGS) as session,
            ):
                rankings = await _rankings(deps, session, wanted, limit, vector, by_chunk=by_chunk)
                best = fuse(rankings, limit) if len(rankings) > 1 else rankings[0]
                found = await hits.list_hits(session, best, vector)
                # One that was dropped meanwhile has hidden what it had.
                if vector is None or await indexes.is_there(session, vector.index):
                    return found
        except TimeoutError as error:
            raise domain.SearchTooSlow from error
        deps.known.forget()
    raise domain.EmbeddingUnavailable("The search index is being changed.")


async def _vector(deps: Deps, query: str) -> QueryVector:
    index, embedder = await model_to_search(deps)
    return QueryVector(index, await deps.questions.embed(embedder, query))


async def _rankings(
    deps: Deps,
    session: AsyncSession,
    wanted: Wanted,
    limit: int,
    vector: QueryVector | None,
    *,
    by_chunk: bool,
) -> Sequence[list[domain.Ranked]]:
    scope, least = wanted.scope, wanted.least_similarity
    depth = max(limit, domain.LEAST_DEPTH) if wanted.mode is domain.SearchMode.HYBRID else limit
    rankings: list[list[domain.Ranked]] = []
    if vector is not None:
        near = await nearest.list_nearest(
            session, scope, vector, depth, sizes=deps.sizes, exact_chunks=deps.exact_chunks, by_chunk=by_chunk
        )
        rankings.append(near)
    if wanted.mode is not domain.SearchMode.VECTOR:
        compared = None if least is None else vector
        worded = await words.list_worded(
            session,
            scope,
            wanted.query,
            depth,
            sizes=deps.sizes,
            vocabularies=deps.vocabularies,
            vector=compared,
            by_chunk=by_chunk,
        )
        rankings.append(worded)
    if least is None:
        return rankings
    return [[one for one in ranking if one.similarity is not None and one.similarity >= least] for ranking in rankings]
