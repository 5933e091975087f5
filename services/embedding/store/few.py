"""Searches among few chunks: both rankings and what is shown of them, in one statement and one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.embedding.domain import LEAST_DEPTH, Hit, Ranked, Vocabulary, read_words, weigh, worded_weight
from services.embedding.domain.reach import ALWAYS_COMPARED
from services.embedding.store.hits import hit_of
from services.embedding.store.indexes import QueryVector
from services.embedding.store.nearest import Sizes
from services.embedding.store.scope import Scope
from services.embedding.store.tables import vector_text
from services.embedding.store.words import CHUNKS_A_DOCUMENT, RANKED_MOST, Vocabularies

_SEARCH: Final = (
    "select * from search_few($1, $2, $3, $4::text::jsonb, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
)


@dataclass(frozen=True, slots=True)
class Few:
    """What was found among few chunks: rankings by meaning and by words, as far as asked for, and their chunks."""

    rankings: Sequence[list[Ranked]]
    rows: Sequence[asyncpg.Record]

    def hits(self, best: Sequence[Ranked]) -> list[Hit]:
        """What is shown of some of them, in their order."""
        known = {row["id"]: row for row in self.rows}
        return [hit_of(one, known[one.chunk_id]) for one in best]


@dataclass(frozen=True, slots=True)
class Known:
    """How many chunks an organisation has, and its common words."""

    chunks: int
    vocabulary: Vocabulary


def known_few(
    scope: Scope, sizes: Sizes, vocabularies: Vocabularies, exact_chunks: int | None, *, by_words: bool
) -> Known | None:
    """Return what is known of an organisation that has few chunks; None if it has more, or nothing is known yet."""
    size, vocabulary = sizes.known(scope), vocabularies.known(scope.org_id) if by_words else Vocabulary(0, {})
    most = ALWAYS_COMPARED if exact_chunks is None else min(exact_chunks, ALWAYS_COMPARED)
    return None if size is None or vocabulary is None or size[0] > most else Known(size[0], vocabulary)


async def search_few(
    session: AsyncSession,
    scope: Scope,
    vector: QueryVector | None,
    words: str | None,
    known: Known,
    depth: int,
    *,
    by_chunk: bool,
) -> Few | None:
    """Search by meaning with a `vector`, by `words`, or by both; `depth` of each at most.

    None if there may be more, or the index was dropped. `session` is apart: no transaction has to be opened.
    """
    asked = read_words(words or "")
    weighed = weigh(asked, known.vocabulary, known.chunks, RANKED_MOST)
    rows = await driver_of(session).fetch(
        _SEARCH,
        scope.org_id,
        scope.types,
        list(scope.source_ids) if scope.source_ids else None,
        scope.metadata_text,
        scope.since,
        scope.until,
        vector.index.id if vector is not None else None,
        vector_text(vector.vector) if vector is not None else None,
        words,
        list(weighed.words),
        list(weighed.weights),
        list(asked.phrases),
        list(asked.without),
        depth,
        max(depth, LEAST_DEPTH) * CHUNKS_A_DOCUMENT,
        by_chunk,
    )
    if vector is not None and not (rows and rows[0]["is_there"]):
        return None
    rankings: list[list[Ranked]] = []
    if vector is not None:
        rankings.append(_ranking(rows, "near_score"))
    if words is not None:
        worded = _ranking(rows, "word_score")
        if rows and len(worded) < depth and not rows[0]["complete"]:
            return None
        rankings.append(worded)
    return Few(rankings, rows)


def _ranking(rows: Sequence[asyncpg.Record], by: str) -> list[Ranked]:
    found = [
        Ranked(
            row["id"],
            row["document_id"],
            row[by],
            row["similarity"],
            worded_weight(row[by]) if by == "word_score" else 1.0,
        )
        for row in rows
        if row[by] is not None
    ]
    return sorted(found, key=lambda one: (-one.score, one.document_id, one.chunk_id))
