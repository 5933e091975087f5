"""How things are found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from services.embedding import domain
from services.embedding.domain.reach import ALWAYS_COMPARED
from services.embedding.store import few, hits, nearest, words
from services.embedding.store.indexes import QueryVector
from services.embedding.store.scope import Scope
from services.embedding.usecases.deps import Deps
from services.embedding.usecases.models import model_to_search

T = TypeVar("T")

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
    for _ in range(_TRIES):
        try:
            async with _beside(_words_ahead(deps, wanted, limit, by_chunk=by_chunk)) as words_ahead:
                vector = None if wanted.mode is domain.SearchMode.TEXT else await _vector(deps, wanted.query)
                async with asyncio.timeout(deps.search_seconds):
                    found = await _find_few(deps, wanted, limit, vector, by_chunk=by_chunk)
                    if found is None:
                        found = await _find_many(deps, wanted, limit, vector, words_ahead, by_chunk=by_chunk)
                    if found is not None:
                        return found
        except TimeoutError as error:
            raise domain.SearchTooSlow from error
        deps.known.forget()
    raise domain.EmbeddingUnavailable("The search index is being changed.")


async def _find_few(
    deps: Deps, wanted: Wanted, limit: int, vector: QueryVector | None, *, by_chunk: bool
) -> list[domain.Hit] | None:
    """Search in one statement where it is known that there is little to search; None if that does not do."""
    asked = None if wanted.mode is domain.SearchMode.VECTOR else wanted.query
    known = few.known_few(wanted.scope, deps.sizes, deps.vocabularies, deps.exact_chunks, by_words=asked is not None)
    if known is None:
        return None
    async with deps.database.apart() as session:
        found = await few.search_few(
            session, wanted.scope, vector, asked, known, _depth(wanted, limit), by_chunk=by_chunk
        )
    return None if found is None else found.hits(_best(found.rankings, wanted, limit, by_chunk=by_chunk))


async def _find_many(
    deps: Deps,
    wanted: Wanted,
    limit: int,
    vector: QueryVector | None,
    words_ahead: asyncio.Task[list[domain.Ranked]] | None,
    *,
    by_chunk: bool,
) -> list[domain.Hit] | None:
    """Search however much there is; None if the vector's index was dropped meanwhile, and has hidden what it had."""
    rankings: list[list[domain.Ranked]] = []
    async with _search(deps, wanted) as session:
        if vector is not None:
            rankings.append(await _near(deps, session, wanted, limit, vector, by_chunk=by_chunk))
        if words_ahead is None:
            if wanted.mode is not domain.SearchMode.VECTOR:
                compared = None if wanted.least_similarity is None else vector
                rankings.append(await _worded(deps, session, wanted, limit, compared, by_chunk=by_chunk))
            return await hits.list_hits(session, _best(rankings, wanted, limit, by_chunk=by_chunk), vector)
    # Nobody waits for a connection while he holds one.
    rankings.append(await words_ahead)
    async with _search(deps, wanted) as session:
        return await hits.list_hits(session, _best(rankings, wanted, limit, by_chunk=by_chunk), vector)


def _search(deps: Deps, wanted: Wanted) -> AbstractAsyncContextManager[AsyncSession]:
    return deps.database.transaction(wanted.scope.org_id, holding=nearest.SETTINGS)


@asynccontextmanager
async def _beside(work: Coroutine[None, None, T] | None) -> AsyncIterator[asyncio.Task[T] | None]:
    """Do `work` beside the block, which may wait for it; it ends with the block."""
    if work is None:
        yield None
        return
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # nobody may have waited


def _words_ahead(
    deps: Deps, wanted: Wanted, limit: int, *, by_chunk: bool
) -> Coroutine[None, None, list[domain.Ranked]] | None:
    """Search for words while the query's meaning is computed, and looked for, where both take several milliseconds."""
    size = deps.sizes.known(wanted.scope)
    if size is None or size[0] <= ALWAYS_COMPARED or wanted.mode is not domain.SearchMode.HYBRID:
        return None
    if wanted.least_similarity is not None:
        return None

    async def work() -> list[domain.Ranked]:
        async with asyncio.timeout(deps.search_seconds), _search(deps, wanted) as session:
            return await _worded(deps, session, wanted, limit, None, by_chunk=by_chunk)

    return work()


def _best(
    rankings: Sequence[list[domain.Ranked]], wanted: Wanted, limit: int, *, by_chunk: bool
) -> list[domain.Ranked]:
    least = wanted.least_similarity
    if least is not None:
        rankings = [
            [one for one in ranking if one.similarity is not None and one.similarity >= least] for ranking in rankings
        ]
    fuse = domain.fuse_passages if by_chunk else domain.fuse_documents
    return fuse(rankings, limit) if len(rankings) > 1 else rankings[0]


def _depth(wanted: Wanted, limit: int) -> int:
    return max(limit, domain.LEAST_DEPTH) if wanted.mode is domain.SearchMode.HYBRID else limit


async def _vector(deps: Deps, query: str) -> QueryVector:
    index, embedder = await model_to_search(deps)
    return QueryVector(index, await deps.questions.embed(embedder, query))


async def _near(
    deps: Deps, session: AsyncSession, wanted: Wanted, limit: int, vector: QueryVector, *, by_chunk: bool
) -> list[domain.Ranked]:
    return await nearest.list_nearest(
        session,
        wanted.scope,
        vector,
        _depth(wanted, limit),
        sizes=deps.sizes,
        exact_chunks=deps.exact_chunks,
        by_chunk=by_chunk,
    )


async def _worded(
    deps: Deps, session: AsyncSession, wanted: Wanted, limit: int, compared: QueryVector | None, *, by_chunk: bool
) -> list[domain.Ranked]:
    return await words.list_worded(
        session,
        wanted.scope,
        wanted.query,
        _depth(wanted, limit),
        sizes=deps.sizes,
        vocabularies=deps.vocabularies,
        vector=compared,
        by_chunk=by_chunk,
    )
