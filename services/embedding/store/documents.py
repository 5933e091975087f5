"""What can be found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared, driver_of
from libs.ids import SYSTEM_ORG, new_id
from services.embedding.domain import PAGE, Index, Piece, Source, SourceKey, SourceType, content_hash
from services.embedding.store.tables import UUID_TYPE, chunks, documents, vector_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_SAVE = Prepared(
    text(
        """
        insert into documents (id, org_id, source_type, source_id, title, status, content_hash, revision)
        select id, org_id, source_type, source_id, title, 'indexed', content_hash, revision
        from unnest(:ids, :org_ids, :types, :source_ids, :titles, :hashes, :revisions)
            as new (id, org_id, source_type, source_id, title, content_hash, revision)
        on conflict on constraint documents_source
            do update set title = excluded.title, content_hash = excluded.content_hash, revision = excluded.revision
            where documents.status = 'indexed' and documents.revision < excluded.revision
        returning id, org_id, source_type, source_id
        """
    ).bindparams(
        bindparam("ids", type_=ARRAY(UUID_TYPE)),
        bindparam("org_ids", type_=ARRAY(UUID_TYPE)),
        *(bindparam(name, type_=ARRAY(Text)) for name in ("types", "source_ids", "titles", "hashes")),
        bindparam("revisions", type_=ARRAY(BigInteger)),
    )
)


async def save_documents(session: AsyncSession, sources: Sequence[Source]) -> dict[SourceKey, tuple[UUID, bool]]:
    """Insert the documents of sources, no two of them of one thing, or renew those that there are.

    Returns the id of each, and whether it was there before. What was removed, or is known in this revision or a later
    one, is not among them: then nothing changes.
    """
    # Ordered as those that are buried, so that two batches never wait for each other in a circle.
    ordered = sorted(sources, key=lambda source: (source.id, source.org_id or SYSTEM_ORG))
    ids = {source.key: new_id() for source in ordered}
    rows = await _SAVE.fetch(
        session,
        ids=list(ids.values()),
        org_ids=[source.org_id for source in ordered],
        types=[source.type for source in ordered],
        source_ids=[source.id for source in ordered],
        titles=[source.title for source in ordered],
        hashes=[content_hash(source.text) for source in ordered],
        revisions=[source.revision for source in ordered],
    )
    saved: dict[SourceKey, UUID] = {(row["org_id"], row["source_type"], row["source_id"]): row["id"] for row in rows}
    return {key: (document_id, document_id != ids[key]) for key, document_id in saved.items()}


ContentKey = tuple[UUID | None, str]
"""Whose a text is, and its hash."""


async def list_known_vectors(
    session: AsyncSession, index: Index, keys: Sequence[ContentKey]
) -> dict[ContentKey, NDArray[np.float32]]:
    """Return the vectors that an index has of those texts of which their owners have chunks."""
    import numpy as np

    rows = await driver_of(session).fetch(
        """
        select distinct on (wanted.org_id, wanted.hash) wanted.org_id, wanted.hash, vectors.embedding::text as vector
        from unnest($2::uuid[], $3::text[]) as wanted (org_id, hash)
        cross join lateral (
            -- Both columns of the index in either case: by one of them the planner would read all of an organisation's.
            select id from chunks where content_hash = wanted.hash and org_id = wanted.org_id
            union all
            select id from chunks where content_hash = wanted.hash and org_id is null and wanted.org_id is null
        ) as same
        join vectors on vectors.id = same.id and vectors.index_id = $1
        """,
        index.id,
        [org_id for org_id, _ in keys],
        [hashed for _, hashed in keys],
    )
    return {(row["org_id"], row["hash"]): np.array(orjson.loads(row["vector"]), np.float32) for row in rows}


async def delete_chunks(session: AsyncSession, document_ids: Sequence[UUID]) -> None:
    await session.execute(delete(chunks).where(chunks.c.document_id.in_(document_ids)))


_INSERT_CHUNKS = Prepared(
    text(
        """
        with kept as (
            insert into chunks (id, document_id, org_id, source_type, idx, content, content_hash, metadata)
            select id, document_id, org_id, source_type, idx, content, content_hash, metadata::jsonb
            from unnest(:ids, :document_ids, :org_ids, :types, :idxs, :contents, :hashes, :metadata)
                as new (id, document_id, org_id, source_type, idx, content, content_hash, metadata)
            on conflict (document_id, content_hash) do nothing
            returning id, document_id, org_id, source_type, metadata, created_at
        ), placed as (
            insert into vectors (id, index_id, document_id, org_id, source_type, metadata, created_at, embedding)
            select kept.id, index_id, document_id, org_id, source_type, metadata, created_at, embedding::halfvec
            from unnest(:vector_ids, :index_ids, :embeddings) as made (id, index_id, embedding)
            join kept on kept.id = made.id
        )
        select document_id from kept
        """
    ).bindparams(
        *(bindparam(name, type_=ARRAY(UUID_TYPE)) for name in ("ids", "document_ids", "org_ids", "vector_ids")),
        *(bindparam(name, type_=ARRAY(Text)) for name in ("types", "contents", "hashes", "embeddings", "metadata")),
        *(bindparam(name, type_=ARRAY(Integer)) for name in ("idxs", "index_ids")),
    )
)


@dataclass(frozen=True, slots=True)
class NewChunks:
    """The pieces of a document that has none, and their vectors by the ids of the indexes that they are for."""

    document_id: UUID
    source: Source
    pieces: Sequence[Piece]
    vectors: Mapping[int, NDArray[np.float32]]
    pages: Sequence[int] | None = None
    """On which page each piece begins, where there are pages."""

    def metadata(self, row: int) -> dict[str, str | int]:
        """Return what is kept of a piece beside its text: what its source says of itself, and its place in it."""
        piece = self.pieces[row]
        told: dict[str, str | int] = {**self.source.metadata, "start": piece.start, "end": piece.end}
        # As text: searches are narrowed by it like by all else.
        return told if self.pages is None else told | {PAGE: str(self.pages[row])}


_CHUNK_COLUMNS = ("ids", "document_ids", "org_ids", "types", "idxs", "contents", "hashes", "metadata")
_VECTOR_COLUMNS = ("vector_ids", "index_ids", "embeddings")


async def insert_chunks(session: AsyncSession, new: Sequence[NewChunks]) -> Counter[UUID]:
    """Keep the chunks of documents, of equal ones in a document one; return how many each document has.

    The transaction began with `indexes.WRITING`.
    """
    rows: list[tuple[object, ...]] = []
    made: list[tuple[UUID, int, str]] = []
    for one in new:
        for row, piece in enumerate(one.pieces):
            chunk_id, source = new_id(), one.source
            told = orjson.dumps(one.metadata(row)).decode()
            hashed = content_hash(piece.content)
            rows.append((chunk_id, one.document_id, source.org_id, source.type, piece.idx, piece.content, hashed, told))
            made += [(chunk_id, index_id, vector_text(vectors[row])) for index_id, vectors in one.vectors.items()]
    if not rows:
        return Counter()
    columns = dict(zip(_CHUNK_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    columns |= dict(zip(_VECTOR_COLUMNS, map(list, zip(*made, strict=True)), strict=True))
    return Counter(row["document_id"] for row in await _INSERT_CHUNKS.fetch(session, **columns))


async def bury_documents(
    session: AsyncSession, source_type: SourceType, sources: Sequence[tuple[UUID | None, str]]
) -> list[tuple[UUID, UUID | None, str]]:
    """Remove the documents of these sources, given as (organisation, id), for good, known or not.

    Returns those that could be found until now, as (document, organisation, source's id).
    """
    # Ordered, so that two batches never wait for each other in a circle.
    ordered = sorted(set(sources), key=lambda source: (source[1], source[0] or SYSTEM_ORG))
    tombstones = [
        {
            "id": new_id(),
            "org_id": org_id,
            "source_type": source_type,
            "source_id": source_id,
            "title": "",
            "status": "removed",
            "revision": 0,
        }
        for org_id, source_id in ordered
    ]
    # First: whoever is about to index one of them has to wait for us, or we for him and then see what he wrote.
    await session.execute(upsert(documents).values(tombstones).on_conflict_do_nothing())
    owner = func.coalesce(documents.c.org_id, SYSTEM_ORG)
    statement = (
        update(documents)
        .where(
            documents.c.source_type == source_type,
            documents.c.source_id.in_([source_id for _, source_id in ordered]),
            tuple_(owner, documents.c.source_id).in_([(org_id or SYSTEM_ORG, name) for org_id, name in ordered]),
            documents.c.status == "indexed",
        )
        .values(status="removed", title="", content_hash=None, revision=0)
        .returning(documents.c.id, documents.c.org_id, documents.c.source_id)
    )
    removed = [(row.id, row.org_id, row.source_id) for row in await session.execute(statement)]
    if removed:
        await delete_chunks(session, [document_id for document_id, *_ in removed])
    return removed
