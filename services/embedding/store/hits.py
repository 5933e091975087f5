"""What is shown of chunks that were found."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.embedding.domain import Hit, Ranked, SourceType
from services.embedding.store.indexes import QueryVector, is_there
from services.embedding.store.scope import Arguments


async def list_hits(
    session: AsyncSession, ranked: Sequence[Ranked], query: QueryVector | None = None
) -> list[Hit] | None:
    """What is shown of chunks, in their order; with a `query` vector they have similarities.

    None if the index of that vector is no longer there.
    """
    if not ranked:
        return [] if query is None or await is_there(session, query.index) else None
    arguments = Arguments()
    chosen = arguments.put([one.chunk_id for one in ranked])
    similarity, present = "null", "true"
    if query is not None:
        present = f"exists (select from vector_indexes where id = {arguments.put(query.index.id)})"
        if any(one.similarity is None for one in ranked):
            similarity = f"(select 1 - {query.distance(arguments)} from {query.relation} where chunks.id = found.id)"  # noqa: S608
    rows = await driver_of(session).fetch(
        "select found.id, documents.source_type, documents.source_id, documents.title, found.content, "  # noqa: S608
        f"found.metadata, {similarity} as similarity, {present} as is_there "
        "from chunks found join documents on documents.id = found.document_id "
        f"where found.id = any({chosen}::uuid[])",
        *arguments,
    )
    known = {row["id"]: row for row in rows}
    if not (rows[0]["is_there"] if rows else query is None or await is_there(session, query.index)):
        return None
    return [hit_of(one, known[one.chunk_id]) for one in ranked if one.chunk_id in known]


def hit_of(ranked: Ranked, row: asyncpg.Record) -> Hit:
    """What is shown of a chunk that was found."""
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
