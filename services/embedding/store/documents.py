"""What can be found, and the model that made it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.ids import SYSTEM_ORG, new_id
from services.embedding.domain import Piece, Source, SourceType, content_hash
from services.embedding.store.tables import chunks, documents, index_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


async def save_document(session: AsyncSession, source: Source, document_id: UUID) -> UUID | None:
    """Insert the document of `source` under `document_id`, or renew the one that there is; return its id.

    None when it was removed, or is known in this revision or a later one: then nothing changes.
    """
    statement = upsert(documents).values(
        id=document_id,
        org_id=source.org_id,
        source_type=source.type,
        source_id=source.id,
        title=source.title,
        status="indexed",
        content_hash=content_hash(source.text),
        revision=source.revision,
    )
    new = {name: statement.excluded[name] for name in ("title", "content_hash", "revision")}
    statement = statement.on_conflict_do_update(
        constraint="documents_source",
        set_=new,
        where=(documents.c.status == "indexed") & (documents.c.revision < statement.excluded.revision),
    )
    saved: UUID | None = (await session.execute(statement.returning(documents.c.id))).scalar_one_or_none()
    return saved


async def delete_chunks(session: AsyncSession, document_ids: Sequence[UUID]) -> None:
    await session.execute(delete(chunks).where(chunks.c.document_id.in_(document_ids)))


async def insert_chunks(
    session: AsyncSession,
    document_id: UUID,
    source: Source,
    pieces: Sequence[Piece],
    vectors: NDArray[np.float32],
) -> int:
    """Keep the chunks of a document that has none, equal ones once; return how many they are."""
    rows = [
        {
            "id": new_id(),
            "document_id": document_id,
            "org_id": source.org_id,
            "source_type": source.type,
            "idx": piece.idx,
            "content": piece.content,
            "content_hash": content_hash(piece.content),
            "embedding": vector,
            "metadata": {**source.metadata, "start": piece.start, "end": piece.end},
        }
        for piece, vector in zip(pieces, vectors, strict=True)
    ]
    if not rows:
        return 0
    statement = upsert(chunks).on_conflict_do_nothing(index_elements=["document_id", "content_hash"])
    return len((await session.execute(statement.returning(chunks.c.id), rows)).all())


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
