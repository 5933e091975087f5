"""What can be found, and the model that made it so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared
from libs.ids import SYSTEM_ORG, new_id
from services.embedding.domain import PAGE, Piece, Source, SourceKey, SourceType, content_hash
from services.embedding.store.tables import UUID_TYPE, chunks, documents, index_model, vector_text

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


async def list_known_vectors(session: AsyncSession, org_id: UUID, hashes: Sequence[str]) -> dict[str, str]:
    """Return the vectors, as pgvector writes them, of those texts by hash that the organisation has chunks of."""
    statement = (
        select(chunks.c.content_hash, cast(chunks.c.embedding, Text))
        .distinct(chunks.c.content_hash)
        .where(chunks.c.org_id == org_id, chunks.c.content_hash.in_(hashes))
    )
    return dict((await session.execute(statement)).tuples().all())


async def delete_chunks(session: AsyncSession, document_ids: Sequence[UUID]) -> None:
    await session.execute(delete(chunks).where(chunks.c.document_id.in_(document_ids)))


_INSERT_CHUNKS = Prepared(
    text(
        """
        insert into chunks (id, document_id, org_id, source_type, idx, content, content_hash, embedding, metadata)
        select id, document_id, org_id, source_type, idx, content, content_hash, embedding::halfvec, metadata::jsonb
        from unnest(:ids, :document_ids, :org_ids, :types, :idxs, :contents, :hashes, :embeddings, :metadata)
            as new (id, document_id, org_id, source_type, idx, content, content_hash, embedding, metadata)
        on conflict (document_id, content_hash) do nothing
        returning document_id
        """
    ).bindparams(
        *(bindparam(name, type_=ARRAY(UUID_TYPE)) for name in ("ids", "document_ids", "org_ids")),
        *(bindparam(name, type_=ARRAY(Text)) for name in ("types", "contents", "hashes", "embeddings", "metadata")),
        bindparam("idxs", type_=ARRAY(Integer)),
    )
)


@dataclass(frozen=True, slots=True)
class NewChunks:
    """The pieces of a document that has none, and their vectors."""

    document_id: UUID
    source: Source
    pieces: Sequence[Piece]
    vectors: NDArray[np.float32]
    pages: Sequence[int] | None = None
    """On which page each piece begins, where there are pages."""

    def metadata(self, row: int) -> dict[str, str | int]:
        """Return what is kept of a piece beside its text: what its source says of itself, and its place in it."""
        piece = self.pieces[row]
        told: dict[str, str | int] = {**self.source.metadata, "start": piece.start, "end": piece.end}
        # As text: searches are narrowed by it like by all else.
        return told if self.pages is None else told | {PAGE: str(self.pages[row])}


async def insert_chunks(session: AsyncSession, new: Sequence[NewChunks]) -> Counter[UUID]:
    """Keep the chunks of documents, of equal ones in a document one; return how many each document has."""
    rows = [
        (
            new_id(),
            one.document_id,
            one.source.org_id,
            one.source.type,
            piece.idx,
            piece.content,
            content_hash(piece.content),
            vector_text(vector),
            orjson.dumps(one.metadata(row)).decode(),
        )
        for one in new
        for row, (piece, vector) in enumerate(zip(one.pieces, one.vectors, strict=True))
    ]
    if not rows:
        return Counter()
    names = ("ids", "document_ids", "org_ids", "types", "idxs", "contents", "hashes", "embeddings", "metadata")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
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


async def adopt_model(session: AsyncSession, model_id: str) -> str:
    """Return the model that the index is made with: `model_id` if it was made with none yet."""
    await session.execute(upsert(index_model).values(model_id=model_id).on_conflict_do_nothing())
    adopted: str = (await session.execute(select(index_model.c.model_id))).scalar_one()
    return adopted
