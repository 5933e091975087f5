"""The embedding service's tables and the statements on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Text

from services.embedding.domain import Hit, Source, SourceType

if TYPE_CHECKING:
    from services.embedding.adapters import Vectors


@dataclass(frozen=True, slots=True)
class IndexedPiece:
    """A piece of a document with its hash and its vector."""

    id: UUID
    idx: int
    content: str
    content_hash: str
    vector: str


def vector_literal(vector: Sequence[float]) -> str:
    """Return a vector as PostgreSQL reads it."""
    return orjson.dumps([round(float(value), 6) for value in vector]).decode()


def vector_literals(vectors: Vectors) -> list[str]:
    """Return each row of `vectors` as PostgreSQL reads it."""
    return [vector_literal(row) for row in vectors.tolist()]


_SAVE_DOCUMENT = text(
    """
    insert into documents (id, org_id, source_type, source_id, title, status, content_hash, revision)
    values (:id, :org_id, :source_type, :source_id, :title, 'indexed', :content_hash, :revision)
    on conflict on constraint documents_source do update
    set title = excluded.title, content_hash = excluded.content_hash, revision = excluded.revision
    where documents.status = 'indexed' and documents.revision < excluded.revision
    returning id
    """
).bindparams(bindparam("id", type_=PgUuid(as_uuid=True)), bindparam("org_id", type_=PgUuid(as_uuid=True)))


async def save_document(session: AsyncSession, document_id: UUID, source: Source, content_hash: str) -> UUID | None:
    """Write a document or its newer revision and return its id; None when it is removed or as new already."""
    row = await session.execute(
        _SAVE_DOCUMENT,
        {
            "id": document_id,
            "org_id": source.org_id,
            "source_type": str(source.type),
            "source_id": source.id,
            "title": source.title,
            "content_hash": content_hash,
            "revision": source.revision,
        },
    )
    return row.scalar_one_or_none()


_DELETE_CHUNKS = text("delete from chunks where document_id = :id").bindparams(
    bindparam("id", type_=PgUuid(as_uuid=True))
)
_INSERT_CHUNK = text(
    """
    insert into chunks (id, document_id, org_id, source_type, idx, content, content_hash, embedding, metadata)
    values (:id, :document_id, :org_id, :source_type, :idx, :content, :content_hash,
            cast(cast(:vector as text) as halfvec), :metadata)
    on conflict (document_id, content_hash) do nothing
    """
).bindparams(
    bindparam("id", type_=PgUuid(as_uuid=True)),
    bindparam("document_id", type_=PgUuid(as_uuid=True)),
    bindparam("org_id", type_=PgUuid(as_uuid=True)),
    bindparam("metadata", type_=JSONB),
)


async def replace_chunks(
    session: AsyncSession, document_id: UUID, source: Source, pieces: Sequence[IndexedPiece]
) -> None:
    """Make `pieces` the chunks of a document; of equal pieces one is kept."""
    await session.execute(_DELETE_CHUNKS, {"id": document_id})
    rows = [
        {
            "id": piece.id,
            "document_id": document_id,
            "org_id": source.org_id,
            "source_type": str(source.type),
            "idx": piece.idx,
            "content": piece.content,
            "content_hash": piece.content_hash,
            "vector": piece.vector,
            "metadata": dict(source.metadata),
        }
        for piece in pieces
    ]
    await session.execute(_INSERT_CHUNK, rows)


_BURY = text(
    """
    insert into documents (id, org_id, source_type, source_id, title, status, revision)
    values (:id, :org_id, :source_type, :source_id, '', 'removed', 0)
    on conflict on constraint documents_source do update
    set status = 'removed', title = '', content_hash = null
    where documents.status <> 'removed'
    returning id
    """
).bindparams(bindparam("id", type_=PgUuid(as_uuid=True)), bindparam("org_id", type_=PgUuid(as_uuid=True)))


async def remove_document(
    session: AsyncSession, document_id: UUID, org_id: UUID, source_type: SourceType, source_id: str
) -> UUID | None:
    """Empty a document and leave its tombstone, known or not; return its id, None when it was removed before."""
    row = await session.execute(
        _BURY, {"id": document_id, "org_id": org_id, "source_type": str(source_type), "source_id": source_id}
    )
    removed: UUID | None = row.scalar_one_or_none()
    if removed is not None:
        await session.execute(_DELETE_CHUNKS, {"id": removed})
    return removed


_COUNT = text(
    "select count(*) from (select 1 from chunks where (org_id = :org_id or org_id is null) limit :most) as counted"
).bindparams(bindparam("org_id", type_=PgUuid(as_uuid=True)))


async def has_more_chunks_than(session: AsyncSession, org_id: UUID, most: int) -> bool:
    """Say whether a search of the organisation would look at more than `most` chunks."""
    found = await session.execute(_COUNT, {"org_id": org_id, "most": most + 1})
    return int(found.scalar_one()) > most


# The best chunk of each document, best document first. `+ 0` keeps the planner from the approximate index, which
# returns a bounded number of rows before they are filtered.
_BY_MEANING = """
with near as (
    select document_id, content, embedding <=> cast(cast(:vector as text) as halfvec) as distance
    from chunks
    where (org_id = :org_id or org_id is null)
      and (cast(:source_types as text[]) is null or source_type = any(:source_types))
    order by (embedding <=> cast(cast(:vector as text) as halfvec)) {exact}
    limit :candidates
), best as (
    select distinct on (document_id) document_id, content, distance from near order by document_id, distance
)
select d.id as document_id, d.source_type, d.source_id, d.title, best.content as text,
       1 - best.distance as score, 1 - best.distance as similarity
from best join documents d on d.id = best.document_id
order by best.distance, d.id limit :limit
"""
_BY_WORDS = """
with query as (select websearch_to_tsquery('simple', :query) as all_words,
    to_tsquery('simple', coalesce(nullif(array_to_string(array(
        select quote_literal(lexeme) from unnest(to_tsvector('simple', :query))), ' | '), ''), '''''')) as any_word),
ranked as (
    select document_id, content, ts_rank_cd(words, any_word) + ts_rank_cd(words, all_words) as rank
    from chunks, query
    where (org_id = :org_id or org_id is null)
      and (cast(:source_types as text[]) is null or source_type = any(:source_types))
      and (words @@ any_word or words @@ all_words)
    order by rank desc, document_id limit :candidates
), best as (
    select distinct on (document_id) document_id, content, rank from ranked order by document_id, rank desc
)
select d.id as document_id, d.source_type, d.source_id, d.title, best.content as text,
       best.rank as score, null as similarity
from best join documents d on d.id = best.document_id
order by best.rank desc, d.id limit :limit
"""
# Chunks looked at for one document that is answered: long texts have several near ones.
_CHUNKS_A_DOCUMENT = 8
_EF_SEARCH_MAX = 1000


def _statement(sql: str) -> Any:  # Any: SQLAlchemy's text clause with typed parameters
    return text(sql).bindparams(
        bindparam("org_id", type_=PgUuid(as_uuid=True)), bindparam("source_types", type_=ARRAY(Text))
    )


_EXACT, _APPROXIMATE = (_statement(_BY_MEANING.format(exact=exact)) for exact in ("+ 0", ""))
_WORDS = _statement(_BY_WORDS)


async def search_by_meaning(
    session: AsyncSession,
    org_id: UUID,
    vector: str,
    *,
    source_types: Sequence[SourceType] | None,
    limit: int,
    exact: bool,
) -> list[Hit]:
    """Return the documents whose chunks lie nearest to `vector`, nearest first."""
    candidates = limit * _CHUNKS_A_DOCUMENT
    if not exact:
        # Filters come after the index: it goes on searching until enough rows pass them.
        await session.execute(text("set local hnsw.iterative_scan = strict_order"))
        await session.execute(text(f"set local hnsw.ef_search = {min(_EF_SEARCH_MAX, max(100, candidates))}"))
    rows = await session.execute(
        _EXACT if exact else _APPROXIMATE,
        {
            "org_id": org_id,
            "vector": vector,
            "source_types": None if source_types is None else [str(one) for one in source_types],
            "candidates": candidates,
            "limit": limit,
        },
    )
    return [Hit(**row._asdict()) for row in rows]


async def search_by_words(
    session: AsyncSession, org_id: UUID, query: str, *, source_types: Sequence[SourceType] | None, limit: int
) -> list[Hit]:
    """Return the documents that have words of `query`, best first."""
    rows = await session.execute(
        _WORDS,
        {
            "org_id": org_id,
            "query": query,
            "source_types": None if source_types is None else [str(one) for one in source_types],
            "candidates": limit * _CHUNKS_A_DOCUMENT,
            "limit": limit,
        },
    )
    return [Hit(**row._asdict()) for row in rows]


_CLAIM_MODEL = text("insert into index_model (model_id) values (:model_id) on conflict do nothing")


async def claim_index(session: AsyncSession, model_id: str) -> str:
    """Make the index that of `model_id` if it is nobody's yet; return whose it is."""
    await session.execute(_CLAIM_MODEL, {"model_id": model_id})
    found: str = (await session.execute(text("select model_id from index_model"))).scalar_one()
    return found
