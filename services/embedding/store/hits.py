"""What is shown of chunks that were found, and which chunks have the words that are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.embedding.domain import Hit, Ranked, SourceType
from services.embedding.domain.reach import ALWAYS_COMPARED
from services.embedding.store.indexes import QueryVector
from services.embedding.store.nearest import Sizes
from services.embedding.store.scope import Arguments, Scope

RANKED_MOST: Final = 1_000
"""Chunks with all the words whose places are compared: 9 ms. Words that so many have say little anyway."""


async def list_worded(
    session: AsyncSession,
    scope: Scope,
    words: str,
    limit: int,
    *,
    sizes: Sizes,
    query: QueryVector | None = None,
    by_chunk: bool = False,
) -> list[Ranked]:
    """The documents with all `words`, in which clients may quote phrases, write `or`, and exclude by a minus.

    Those in whose chunk the words are dense and close come first; of very many, RANKED_MOST are looked at so closely,
    or all if these are of fewer documents than wanted. With a `query` vector they have similarities.
    """
    arguments = Arguments()
    asked = f"websearch_to_tsquery('simple', {arguments.put(words)}), {arguments.put(scope.types)}"
    asked = f"{asked}, {arguments.put(scope.org_id)}"
    own, _ = await sizes.look(session, scope)
    if own <= ALWAYS_COMPARED:
        few = f"few_chunks_with_words({asked})"
        return (await _list_best(session, scope, few, arguments, limit, query, by_chunk=by_chunk))[0]
    # Narrowed after they are found: none may be left out before.
    most = None if scope.is_narrowed else RANKED_MOST
    found, looked = await _list_best(
        session,
        scope,
        f"chunks_with_words({asked}, {most or 'null'})",
        arguments.copy(),
        limit,
        query,
        by_chunk=by_chunk,
    )
    if len(found) < limit and looked == most:
        every = f"chunks_with_words({asked}, null)"
        found, _ = await _list_best(session, scope, every, arguments, limit, query, by_chunk=by_chunk)
    return found


async def _list_best(
    session: AsyncSession,
    scope: Scope,
    found: str,
    arguments: Arguments,
    limit: int,
    query: QueryVector | None,
    *,
    by_chunk: bool,
) -> tuple[list[Ranked], int]:
    """The best of those `found`, which are in scope but for its narrowing, and how many they are the best of."""
    if scope.is_narrowed:
        narrowing = " and ".join(scope.narrowing(arguments))
        found = f"(select found.* from {found} found join chunks on chunks.id = found.id where {narrowing})"  # noqa: S608
    once = (
        "found" if by_chunk else "(select distinct on (document_id) * from found order by document_id, score desc, id)"
    )
    similarity, joined = "null::double precision", ""
    if query is not None:
        similarity = f"1 - {query.distance(arguments)}"
        joined = f"left join {query.relation} on chunks.id = best.id"
    rows = await driver_of(session).fetch(
        f"with found as materialized (select * from {found} every), "  # noqa: S608
        f"best as (select * from {once} once order by score desc, document_id, id limit {arguments.put(limit)}) "
        f"select best.*, {similarity} as similarity, (select count(*) from found) as looked "
        f"from best {joined} "
        "order by best.score desc, best.document_id, best.id",
        *arguments,
    )
    ranked = [Ranked(row["id"], row["document_id"], row["score"], row["similarity"]) for row in rows]
    return ranked, rows[0]["looked"] if rows else 0


async def list_hits(session: AsyncSession, ranked: Sequence[Ranked], query: QueryVector | None = None) -> list[Hit]:
    """What is shown of chunks, in their order; with a `query` vector they have similarities."""
    if not ranked:
        return []
    arguments = Arguments()
    chosen = arguments.put([one.chunk_id for one in ranked])
    similarity = "null"
    if query is not None and any(one.similarity is None for one in ranked):
        similarity = f"(select 1 - {query.distance(arguments)} from {query.relation} where chunks.id = found.id)"  # noqa: S608
    rows = await driver_of(session).fetch(
        "select found.id, documents.source_type, documents.source_id, documents.title, found.content, "  # noqa: S608
        f"found.metadata, {similarity} as similarity "
        "from chunks found join documents on documents.id = found.document_id "
        f"where found.id = any({chosen}::uuid[])",
        *arguments,
    )
    known = {row["id"]: row for row in rows}
    return [_hit(one, known[one.chunk_id]) for one in ranked if one.chunk_id in known]


def _hit(ranked: Ranked, row: asyncpg.Record) -> Hit:
    said = dict(row["metadata"])
    is_speech = row["source_type"] == SourceType.GENERATION
    # What was indexed before audio was shared has its own.
    audio_id = (said.pop("audio_id", "") or row["source_id"]) if is_speech else ""
    return Hit(
        document_id=ranked.document_id,
        source_type=row["source_type"],
        source_id=row["source_id"],
        title=row["title"],
        text=row["content"],
        score=ranked.score,
        similarity=row["similarity"] if ranked.similarity is None else ranked.similarity,
        start=said.pop("start", 0),
        end=said.pop("end", len(row["content"])),
        metadata=said,
        audio_id=audio_id,
    )
