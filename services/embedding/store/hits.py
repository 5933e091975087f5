"""What is shown of chunks that were found, and which chunks have the words that are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.embedding.domain import Hit, Ranked
from services.embedding.store.scope import Arguments, Scope
from services.embedding.store.tables import vector_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


async def list_worded(
    session: AsyncSession,
    scope: Scope,
    words: str,
    limit: int,
    *,
    query: NDArray[np.float32] | None = None,
    by_chunk: bool = False,
) -> list[Ranked]:
    """The documents with all `words`, in which clients may quote phrases, write `or`, and exclude by a minus.

    Those in whose chunk the words are dense and close come first. With a `query` vector they have similarities.
    """
    arguments = Arguments()
    found = f"chunks_with_words(websearch_to_tsquery('simple', {arguments.put(words)}), {arguments.put(scope.types)})"
    if scope.is_narrowed:
        narrowing = " and ".join(scope.narrowing(arguments))
        found = f"(select found.* from {found} found join chunks on chunks.id = found.id where {narrowing})"  # noqa: S608
    once = (
        found
        if by_chunk
        else f"(select distinct on (document_id) * from {found} every order by document_id, score desc, id)"  # noqa: S608
    )
    best = f"select * from {once} once order by score desc, document_id, id limit {arguments.put(limit)}"  # noqa: S608
    if query is not None:
        similarity = f"1 - (chunks.embedding <=> {arguments.put(vector_text(query))}::halfvec)"
        best = (
            f"select best.*, {similarity} as similarity from ({best}) best join chunks on chunks.id = best.id "  # noqa: S608
            "order by best.score desc, best.document_id, best.id"
        )
    rows = await driver_of(session).fetch(best, *arguments)
    return [
        Ranked(row["id"], row["document_id"], row["score"], row["similarity"] if query is not None else None)
        for row in rows
    ]


async def list_hits(
    session: AsyncSession, ranked: Sequence[Ranked], query: NDArray[np.float32] | None = None
) -> list[Hit]:
    """What is shown of chunks, in their order; with a `query` vector they have similarities."""
    if not ranked:
        return []
    arguments = Arguments()
    chosen = arguments.put([one.chunk_id for one in ranked])
    similarity = "null"
    if query is not None and any(one.similarity is None for one in ranked):
        similarity = f"1 - (chunks.embedding <=> {arguments.put(vector_text(query))}::halfvec)"
    rows = await driver_of(session).fetch(
        "select chunks.id, documents.source_type, documents.source_id, documents.title, chunks.content, "  # noqa: S608
        f"chunks.metadata, {similarity} as similarity "
        "from chunks join documents on documents.id = chunks.document_id "
        f"where chunks.id = any({chosen}::uuid[])",
        *arguments,
    )
    known = {row["id"]: row for row in rows}
    return [_hit(one, known[one.chunk_id]) for one in ranked if one.chunk_id in known]


def _hit(ranked: Ranked, row: asyncpg.Record) -> Hit:
    said = dict(row["metadata"])
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
    )
