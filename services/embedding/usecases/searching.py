"""How things are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.embedding import domain
from services.embedding.store import hits
from services.embedding.usecases.deps import Deps

PASSAGES_MOST = 100
"""Chunks that are looked at for a prompt."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, and where. Hits are at least `least_similarity` near if it is given."""

    query: str
    mode: domain.SearchMode
    scope: hits.Scope
    least_similarity: float | None = None


async def search(deps: Deps, wanted: Wanted, limit: int) -> list[domain.Hit]:
    """Find documents of the organisation and everybody's, best first, each once, by its best chunk.

    Raises EmbeddingRefused and EmbeddingUnavailable, but not when searching by words alone.
    """
    rankings = await _rankings(deps, wanted, limit, by_chunk=False)
    return domain.fuse_hits(rankings, limit) if len(rankings) > 1 else rankings[0]


async def find_passages(deps: Deps, wanted: Wanted, tokens: int) -> list[domain.Hit]:
    """Find the passages that tell most of what is wanted in at most `tokens`, best first; raises what `search` does."""
    rankings = await _rankings(deps, wanted, PASSAGES_MOST, by_chunk=True)
    found = domain.fuse_passages(rankings, PASSAGES_MOST) if len(rankings) > 1 else rankings[0]
    return domain.within_budget(found, tokens)


async def _rankings(deps: Deps, wanted: Wanted, limit: int, *, by_chunk: bool) -> Sequence[list[domain.Hit]]:
    vector = None if wanted.mode is domain.SearchMode.TEXT else (await deps.embedder.embed([wanted.query]))[0]
    depth = max(limit, domain.LEAST_DEPTH) if wanted.mode is domain.SearchMode.HYBRID else limit
    scope, exact_chunks = wanted.scope, deps.exact_chunks
    rankings: list[list[domain.Hit]] = []
    async with deps.database.transaction(scope.org_id) as session:
        if vector is not None:
            near = await hits.list_nearest(session, scope, vector, depth, exact_chunks=exact_chunks, by_chunk=by_chunk)
            rankings.append(near)
        if wanted.mode is not domain.SearchMode.VECTOR:
            worded = await hits.list_worded(session, scope, wanted.query, depth, query=vector, by_chunk=by_chunk)
            rankings.append(worded)
    least = wanted.least_similarity
    if least is None:
        return rankings
    return [[hit for hit in ranking if hit.similarity is not None and hit.similarity >= least] for ranking in rankings]
