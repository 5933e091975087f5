"""The indexes of vectors: opened, filled, switched and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.embedding.domain import Index
from services.embedding.store.scope import Arguments
from services.embedding.store.tables import vector_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOCK: Final = 0x616E7476
WRITING: Final = f"select pg_advisory_xact_lock_shared({_LOCK})"
"""What a transaction that keeps vectors begins with: as long as it lasts, no index becomes or ceases to be active."""
CHANGING: Final = f"select pg_advisory_xact_lock({_LOCK})"
"""What a transaction begins with that makes an index active, or drops one: nobody keeps vectors meanwhile."""


@dataclass(frozen=True, slots=True)
class QueryVector:
    """What is looked for in an index: a vector of length 1 that the index's model made."""

    index: Index
    vector: NDArray[np.float32]

    @property
    def relation(self) -> str:
        """SQL of the index's vectors, with the columns that scopes ask of `chunks`."""
        return f"(select * from vectors where index_id = {self.index.id:d}) chunks"  # noqa: S608 - a number

    def distance(self, arguments: Arguments) -> str:
        """SQL of the distance to a vector of `chunks`, just as the index has it."""
        size = f"halfvec({self.index.dimensions:d})"
        return f"(chunks.embedding::{size} <=> {arguments.put(vector_text(self.vector))}::{size})"


async def list_indexes(session: AsyncSession) -> list[Index]:
    """Return all indexes."""
    rows = await driver_of(session).fetch(
        "select id, model_id, dimensions, is_active, is_wanted, was_active, error, idle_since "
        "from vector_indexes order by id"
    )
    return [Index(**row) for row in rows]


async def is_there(session: AsyncSession, index: Index) -> bool:
    """Say whether an index has not been dropped."""
    return bool(await driver_of(session).fetchval("select 1 from vector_indexes where id = $1", index.id))


async def want_index(session: AsyncSession, model_id: str, dimensions: int) -> None:
    """Have the index of a model become the active one, at once if there is none yet; it is made if need be."""
    driver = driver_of(session)
    index_id = await driver.fetchval("select open_vector_index($1, $2)", model_id, dimensions)
    await driver.execute(
        "update vector_indexes set is_wanted = false, idle_since = case when is_active then null else now() end "
        "where is_wanted and id <> $1",
        index_id,
    )
    await driver.execute(
        "update vector_indexes set is_wanted = true, idle_since = null, error = null where id = $1", index_id
    )
    await driver.execute(
        "update vector_indexes set is_active = true, was_active = true "
        "where id = $1 and not exists (select from vector_indexes where is_active)",
        index_id,
    )


async def activate(session: AsyncSession, index: Index) -> None:
    """Have an index searched from now on; the one that was is kept. The transaction began with CHANGING."""
    driver = driver_of(session)
    await driver.execute("update vector_indexes set is_active = false, idle_since = now() where is_active")
    await driver.execute(
        "update vector_indexes set is_active = true, was_active = true, error = null where id = $1", index.id
    )


async def set_error(session: AsyncSession, index: Index, error: str | None) -> None:
    """Say why an index does not get on."""
    await driver_of(session).execute("update vector_indexes set error = $2 where id = $1", index.id, error)


async def drop_index(session: AsyncSession, index: Index) -> bool:
    """Drop an index that is neither active nor wanted; False if it is, or gone. The transaction began with CHANGING.

    Searches wait for this, and it for them: it gives up after a second.
    """
    driver = driver_of(session)
    await driver.execute("set local lock_timeout = '1s'")
    return bool(await driver.fetchval("select drop_vector_index($1)", index.id))


async def list_gaps(session: AsyncSession, index: Index, after: UUID, most: int) -> list[tuple[UUID, UUID | None]]:
    """Return the next chunks, by their ids, that have no vector in an index, and whose they are."""
    rows = await driver_of(session).fetch("select * from chunks_without_vector($1, $2, $3)", index.id, after, most)
    return [(row["id"], row["org_id"]) for row in rows]


async def list_contents(session: AsyncSession, chunk_ids: Sequence[UUID]) -> list[tuple[UUID, UUID | None, str]]:
    """Return the texts of those chunks that are still there, with whose they are."""
    rows = await driver_of(session).fetch(
        "select id, org_id, content from chunks where id = any($1::uuid[]) order by id", list(chunk_ids)
    )
    return [(row["id"], row["org_id"], row["content"]) for row in rows]


async def fill_gaps(session: AsyncSession, index: Index, vectors: Sequence[tuple[UUID, NDArray[np.float32]]]) -> int:
    """Keep vectors of chunks that were there before, unless they are gone or have one; return how many were kept.

    The transaction began with WRITING.
    """
    kept = await driver_of(session).fetch(
        """
        insert into vectors (id, index_id, document_id, org_id, source_type, metadata, created_at, embedding)
        select chunks.id, $1, document_id, org_id, source_type, metadata, created_at, new.embedding::halfvec
        from unnest($2::uuid[], $3::text[]) as new (id, embedding) join chunks on chunks.id = new.id
        where exists (select from vector_indexes where vector_indexes.id = $1)
        -- Whoever deletes one of them waits for us, and takes its vector along.
        for key share of chunks
        on conflict do nothing
        returning 1
        """,
        index.id,
        [chunk_id for chunk_id, _ in vectors],
        [vector_text(vector) for _, vector in vectors],
    )
    return len(kept)


async def count_vectors(session: AsyncSession) -> dict[int, tuple[int, int]]:
    """Return of each index how many vectors it has, and how many chunks there are."""
    rows = await driver_of(session).fetch("select * from count_vectors()")
    return {row["index_id"]: (row["vectors"], row["chunks"]) for row in rows}
