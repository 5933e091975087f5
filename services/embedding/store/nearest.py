"""Which chunks are nearest in meaning: by comparing all, or by the index, whichever is faster and misses nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.embedding.domain import Ranked, most_compared
from services.embedding.domain.reach import MOST_COMPARED
from services.embedding.store.indexes import QueryVector
from services.embedding.store.scope import Arguments, Scope

SETTINGS: Final = (
    # Planned for the very parameters: what is best for a large organisation is worst for a small one.
    "set local plan_cache_mode = force_custom_plan; "
    # Without it the index gives its nearest, and nothing where these are all others'. What comes out of order is put in
    # order here; pgvector's strict order would leave it out.
    "set local hnsw.iterative_scan = relaxed_order; "
    "set local hnsw.ef_search = 200"
)
"""What the transaction of a search begins with, in the same round trip."""
_EF_SEARCH: Final = 200
"""Of 100,000 chunks, 40 found 0.90 of the nearest ten, 100 0.97, 200 0.99 in a fifth more time than 100."""
_EF_SEARCH_MOST: Final = 1_000
"""pgvector's own limit."""
_CHUNKS_A_DOCUMENT: Final = (2, 16)
"""Chunks taken for each document wanted, at first and if too few documents come of it: most documents have one or two
near a query."""
SIZES_KEPT: Final = 10_000
SIZE_SECONDS: Final = 30.0
"""How long an organisation's size is remembered: a wrong one costs time and no hits."""


@dataclass(slots=True)
class Sizes:
    """How many chunks there are of whom, as last counted, up to MOST_COMPARED + 1 each; and how many in all."""

    _known: dict[tuple[UUID, tuple[str, ...]], tuple[float, int, int]] = field(default_factory=dict)

    def known(self, scope: Scope) -> tuple[int, int] | None:
        """Return what `look` does if it was looked at not long ago."""
        until, own, total = self._known.get(_key(scope), (0.0, 0, 0))
        return (own, total) if time.monotonic() < until else None

    async def look(self, session: AsyncSession, scope: Scope) -> tuple[int, int]:
        """Return the size of the organisation, of those types, and of all together, which is an estimate."""
        known = self.known(scope)
        if known is not None:
            return known
        row = await driver_of(session).fetchrow(
            "select count_chunks($1, $2) as own, "
            "(select reltuples::bigint from pg_class where oid = 'chunks'::regclass) as total",
            MOST_COMPARED + 1,
            scope.types,
        )
        assert row is not None
        own, total = row["own"], max(row["own"], row["total"])
        if len(self._known) >= SIZES_KEPT:
            self._known.clear()
        self._known[_key(scope)] = time.monotonic() + SIZE_SECONDS, own, total
        return own, total


def _key(scope: Scope) -> tuple[UUID, tuple[str, ...]]:
    return scope.org_id, tuple(scope.types or ())


async def list_nearest(
    session: AsyncSession,
    scope: Scope,
    query: QueryVector,
    limit: int,
    *,
    sizes: Sizes,
    exact_chunks: int | None = None,
    by_chunk: bool = False,
) -> list[Ranked]:
    """The documents nearest in meaning, each by its nearest chunk; always as many as there are, up to `limit`.

    `exact_chunks` says up to how many chunks are all compared; None leaves it to what is faster. `query` is a vector of
    length 1; score and similarity are the cosine. `by_chunk` wants the nearest chunks, however many are of one
    document. The transaction began with SETTINGS.
    """
    wanted = limit * (1 if by_chunk else _CHUNKS_A_DOCUMENT[0])
    own, total = await sizes.look(session, scope)
    most = most_compared(total, wanted) if exact_chunks is None else exact_chunks
    if own <= most:
        return await _compare(session, scope, query, limit, by_chunk=by_chunk)
    if scope.is_narrowed:
        matching = await _list_matching(session, scope, most + 1)
        if len(matching) <= most:
            return await _compare(session, scope, query, limit, by_chunk=by_chunk, among=matching)
    found = await list_nearest_by_index(session, scope, query, limit, by_chunk=by_chunk)
    if len(found) == limit:
        return found
    # The index ends its scan early where most of what it meets is others', or one document has all that is near.
    await driver_of(session).execute("set local enable_sort = on")
    return await _compare(session, scope, query, limit, by_chunk=by_chunk)


async def list_nearest_by_index(
    session: AsyncSession, scope: Scope, query: QueryVector, limit: int, *, by_chunk: bool = False
) -> list[Ranked]:
    """Almost all of the documents nearest in meaning; may be fewer than `limit` though there are more."""
    best: list[Ranked] = []
    for times in (1,) if by_chunk else _CHUNKS_A_DOCUMENT:
        candidates = times * limit
        # Row-level security hides from the planner how many chunks an organisation has. It supposes few and would
        # rather fetch and sort them all.
        reach = min(max(candidates, _EF_SEARCH), _EF_SEARCH_MOST)
        await driver_of(session).execute(f"set local enable_sort = off; set local hnsw.ef_search = {reach}")
        arguments = Arguments()
        distance = query.distance(arguments)
        rows = await driver_of(session).fetch(
            f"select id, document_id, 1 - {distance} as score from {query.relation} "  # noqa: S608 - of constants
            f"where {scope.condition(arguments)} "
            f"order by {distance} limit {arguments.put(candidates)}",
            *arguments,
        )
        best = _best([Ranked(row["id"], row["document_id"], row["score"], row["score"]) for row in rows], by_chunk)
        if len(best) >= limit or len(rows) < candidates:
            break
    return best[:limit]


async def _compare(
    session: AsyncSession,
    scope: Scope,
    query: QueryVector,
    limit: int,
    *,
    by_chunk: bool,
    among: Sequence[UUID] | None = None,
) -> list[Ranked]:
    """The nearest of all chunks in scope, or of those `among` which all are in scope."""
    best: list[Ranked] = []
    for times in (1,) if by_chunk else (*_CHUNKS_A_DOCUMENT, None):
        arguments = Arguments()
        distance = query.distance(arguments)
        within = (
            scope.condition(arguments) if among is None else f"chunks.id = any({arguments.put(list(among))}::uuid[])"
        )
        candidates = None if times is None else times * limit
        rows = await driver_of(session).fetch(
            # + 0: not by the index.
            f"select id, document_id, 1 - {distance} as score from {query.relation} where {within} "  # noqa: S608 - of constants
            f"order by {distance} + 0, document_id, id limit {arguments.put(candidates)}",
            *arguments,
        )
        best = _best([Ranked(row["id"], row["document_id"], row["score"], row["score"]) for row in rows], by_chunk)
        if len(best) >= limit or candidates is None or len(rows) < candidates:
            break
    return best[:limit]


def _best(found: Sequence[Ranked], by_chunk: bool) -> list[Ranked]:
    """In order, and of each document the nearest unless chunks are wanted; equal ones in a fixed order."""
    ordered = sorted(found, key=lambda one: (-one.score, one.document_id, one.chunk_id))
    if by_chunk:
        return ordered
    once: dict[UUID, Ranked] = {}
    for one in ordered:
        once.setdefault(one.document_id, one)
    return list(once.values())


async def _list_matching(session: AsyncSession, scope: Scope, most: int) -> list[UUID]:
    """Return the chunks in a narrowed scope, up to so many: row-level security keeps the planner from their indexes."""
    rows = await driver_of(session).fetch(
        "select id from matching_chunks($1, $2, $3, $4::text::jsonb, $5, $6) as found (id)",
        most,
        scope.types,
        list(scope.source_ids) if scope.source_ids else None,
        scope.metadata_text,
        scope.since,
        scope.until,
    )
    return [row["id"] for row in rows]
