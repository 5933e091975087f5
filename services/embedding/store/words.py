"""Which chunks have the words that are looked for: any of them, and those first that have all, or the rarest."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.embedding.domain import (
    LEAST_DEPTH,
    SAMPLED,
    Ranked,
    Vocabulary,
    Weighed,
    Words,
    read_words,
    weigh,
    worded_weight,
)
from services.embedding.domain.reach import ALWAYS_COMPARED, MOST_COMPARED
from services.embedding.store.indexes import QueryVector
from services.embedding.store.nearest import Sizes
from services.embedding.store.scope import Arguments, Scope

RANKED_MOST: Final = 300
"""Chunks of each combination of words that are ranked; 4 µs each."""
CHUNKS_A_DOCUMENT: Final = 2
"""Chunks that are ranked closely for each document wanted."""
_KNOWN_SECONDS: Final = (60.0, 600.0)
"""How long an organisation's common words are remembered: of one whose chunks are all counted, and of larger ones. Old
ones rank a little worse."""
_KEPT: Final = 200
"""Organisations whose common words are remembered; some 50 KB each."""


@dataclass(slots=True)
class Vocabularies:
    """Which words are common in whose chunks, as last counted."""

    _known: OrderedDict[UUID, tuple[float, Vocabulary]] = field(default_factory=OrderedDict)

    def known(self, org_id: UUID) -> Vocabulary | None:
        """Return the common words of an organisation if they were looked at not long ago."""
        until, known = self._known.get(org_id, (0.0, None))
        if known is None or time.monotonic() >= until:
            return None
        self._known.move_to_end(org_id)
        return known

    async def look(self, session: AsyncSession, org_id: UUID) -> Vocabulary:
        """Return the common words of an organisation."""
        known = self.known(org_id)
        if known is not None:
            return known
        row = await driver_of(session).fetchrow("select * from common_words($1, $2)", org_id, SAMPLED)
        assert row is not None
        known = Vocabulary(row["chunks"], dict(zip(row["words"] or (), row["has"] or (), strict=True)))
        self._known[org_id] = time.monotonic() + _KNOWN_SECONDS[known.chunks >= SAMPLED], known
        self._known.move_to_end(org_id)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known


async def list_worded(
    session: AsyncSession,
    scope: Scope,
    query: str,
    limit: int,
    *,
    sizes: Sizes,
    vocabularies: Vocabularies,
    vector: QueryVector | None = None,
    by_chunk: bool = False,
) -> list[Ranked]:
    """The documents with any of the words, in which clients may quote phrases, write `or`, and exclude by a minus.

    Those with all that is asked for come first, those in whose chunk the words are dense and close before others; then
    those with more, and rarer ones. Of words that very many have, RANKED_MOST are looked at, or all if these are of
    fewer documents than wanted. With a `vector` they have similarities.
    """
    asked = read_words(query)
    own, total = await sizes.look(session, scope)
    # Of more than that it is not known how many there are, but hardly fewer than of all others.
    chunks = own if own <= MOST_COMPARED else total
    weighed = weigh(asked, await vocabularies.look(session, scope.org_id), chunks, RANKED_MOST)
    enough = max(limit, LEAST_DEPTH) * CHUNKS_A_DOCUMENT
    tries: list[tuple[bool, int | None]] = [(True, enough), (True, None)]
    if own > ALWAYS_COMPARED:
        tries[:1] = [(False, enough)]
    best: list[Ranked] = []
    for everywhere, closely in tries:
        arguments = Arguments()
        found = _matching(arguments, scope, query, asked, weighed, closely, everywhere=everywhere)
        best, is_complete = await _list_best(session, found, arguments, limit, vector, by_chunk=by_chunk)
        if len(best) == limit or is_complete:
            break
    return best


def _matching(
    arguments: Arguments,
    scope: Scope,
    query: str,
    asked: Words,
    weighed: Weighed,
    closely: int | None,
    *,
    everywhere: bool,
) -> str:
    """SQL of the chunks that match, with their scores."""
    put = arguments.put
    combinations = [f"{{{','.join(map(str, places))}}}" for places in weighed.combinations]
    return (
        f"chunks_by_words({put(query)}, {put(list(weighed.words))}, {put(list(weighed.weights))}, "
        f"{put(list(asked.phrases))}, {put(list(asked.without))}, {put(scope.org_id)}, {put(scope.types)}, "
        f"{put(list(scope.source_ids) if scope.source_ids else None)}, {put(scope.metadata_text)}::text::jsonb, "
        f"{put(scope.since)}, {put(scope.until)}, {put(None if everywhere else combinations)}, {put(closely)}, "
        f"{put(RANKED_MOST)})"
    )


async def _list_best(
    session: AsyncSession,
    found: str,
    arguments: Arguments,
    limit: int,
    vector: QueryVector | None,
    *,
    by_chunk: bool,
) -> tuple[list[Ranked], bool]:
    """The best of those `found`, and whether no others match."""
    once = (
        "found" if by_chunk else "(select distinct on (document_id) * from found order by document_id, score desc, id)"
    )
    similarity, joined = "null::double precision", ""
    if vector is not None:
        similarity = f"1 - {vector.distance(arguments)}"
        joined = f"left join {vector.relation} on chunks.id = best.id"
    rows = await driver_of(session).fetch(
        f"with found as materialized (select * from {found} every), "  # noqa: S608
        f"best as (select * from {once} once order by score desc, document_id, id limit {arguments.put(limit)}) "
        f"select best.*, {similarity} as similarity from best {joined} "
        "order by best.score desc, best.document_id, best.id",
        *arguments,
    )
    ranked = [
        Ranked(row["id"], row["document_id"], row["score"], row["similarity"], worded_weight(row["score"]))
        for row in rows
    ]
    return ranked, rows[0]["complete"] if rows else True
