"""How things are found."""

from __future__ import annotations

from libs.web import Caller
from services.embedding import domain
from services.embedding.store import hits
from services.embedding.usecases.deps import Deps


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
