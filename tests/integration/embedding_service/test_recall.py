"""A small organisation among a large one's chunks finds what is nearest, and so does the large one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database
from libs.ids import new_id
from services.embedding.domain import DIMENSIONS, Index, Piece, Ranked, Source, SourceType
from services.embedding.store import documents, nearest
from services.embedding.store.indexes import WRITING, QueryVector
from services.embedding.store.scope import Scope

Vectors = NDArray[np.float32]
LARGE, SMALL = 3_000, 30
LIMIT = 10


def around(dice: np.random.Generator, centre: Vectors, count: int, spread: float) -> Vectors:
    """Vectors of length 1 around a centre, as texts about one thing are."""
    noise = dice.standard_normal((count, 12)) @ dice.standard_normal((12, DIMENSIONS))
    vectors = centre + spread * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


async def keep(database: Database, index: Index, org_id: UUID, vectors: Vectors, *, of_one: bool = False) -> list[UUID]:
    """Keep chunks with these vectors, each in a document of its own or all in one; return their documents."""
    kept: list[UUID] = []
    batch = len(vectors) if of_one else 1
    async with database.transaction(org_id, holding=WRITING) as session:
        sources = [
            Source(
                org_id,
                SourceType.KNOWLEDGE,
                str(new_id()),
                1,
                "Title",
                "text",
                {"parity": str(number % 2), "hundredth": str(number % 100)},
            )
            for number in range(0, len(vectors), batch)
        ]
        saved = await documents.save_documents(session, sources)
        new = []
        for number, source in enumerate(sources):
            document_id = saved[source.key][0]
            kept.append(document_id)
            own = vectors[number * batch : (number + 1) * batch]
            pieces = [Piece(row, f"text {document_id} {row}", row, row + 1) for row in range(len(own))]
            new.append(documents.NewChunks(document_id, source, pieces, {index.id: own}))
        await documents.insert_chunks(session, new)
    return kept


async def find(
    session: AsyncSession, index: Index, scope: Scope, query: Vectors, **options: Any
) -> tuple[list[Ranked], int]:
    """Search, and count how often the index was scanned for it."""
    counting = text(f"select pg_stat_get_xact_numscans('vectors_{index.id}_nearest'::regclass)")
    before = (await session.execute(counting)).scalar_one()
    wanted = QueryVector(index, query)
    found = await nearest.list_nearest(session, scope, wanted, LIMIT, sizes=nearest.Sizes(), **options)
    return found, (await session.execute(counting)).scalar_one() - before


def recall(found: Sequence[Ranked], vectors: Vectors, query: Vectors) -> float:
    cosines = np.sort(vectors.astype(np.float16).astype(np.float32) @ query)[::-1]
    good = sum(one.score >= cosines[LIMIT - 1] - 2e-3 for one in found)
    return float(good / LIMIT)


async def test_an_organisation_of_any_share_finds_the_nearest(database: Database, active: Index) -> None:
    """Each by the way that suits its share; the index alone, if it did not go on, would give few of few."""
    dice = np.random.default_rng(7)
    centre, elsewhere = around(dice, np.zeros(DIMENSIONS, np.float32), 2, 1.0)
    large, small = new_id(), new_id()
    many, few = around(dice, centre, LARGE, 0.6), around(dice, elsewhere, SMALL, 0.6)
    await keep(database, active, large, many)
    await keep(database, active, small, few)
    queries = around(dice, centre, 5, 0.5)
    shares = []
    for query in queries:
        async with database.transaction(large, holding=nearest.SETTINGS) as session:
            found, scans = await find(session, active, Scope(large, None), query)
            assert (len(found), scans) == (LIMIT, 1)
            shares.append(recall(found, many, query))
            narrowed, _ = await find(session, active, Scope(large, None, metadata={"parity": "1"}), query)
            assert len(narrowed) == LIMIT
            shares.append(recall(narrowed, many[1::2], query))
            rare = Scope(large, None, metadata={"hundredth": "1"})
            by_index = await nearest.list_nearest_by_index(session, rare, QueryVector(active, query), LIMIT)
            assert len(by_index) == LIMIT
            shares.append(recall(by_index, many[1::100], query))
        async with database.transaction(small, holding=nearest.SETTINGS) as session:
            compared, scans = await find(session, active, Scope(small, None), query)
            assert (len(compared), scans) == (LIMIT, 0)
            assert recall(compared, few, query) == 1
    assert np.mean(shares) >= 0.95


@pytest.mark.parametrize("exact_chunks", [0, None])
async def test_a_document_that_has_all_that_is_near_hides_no_other(
    database: Database, active: Index, exact_chunks: int | None
) -> None:
    """What the index finds is of one document: the others are found all the same."""
    dice = np.random.default_rng(8)
    centre, elsewhere = around(dice, np.zeros(DIMENSIONS, np.float32), 2, 1.0)
    org_id = new_id()
    (book,) = await keep(database, active, org_id, around(dice, centre, 400, 0.2), of_one=True)
    others = await keep(database, active, org_id, around(dice, elsewhere, LIMIT - 1, 0.6))
    async with database.transaction(org_id, holding=nearest.SETTINGS) as session:
        found, _ = await find(session, active, Scope(org_id, None), centre, exact_chunks=exact_chunks)
    assert found[0].document_id == book
    assert {one.document_id for one in found} == {book, *others}


async def test_what_matches_rarely_is_found_in_a_large_organisation(database: Database, active: Index) -> None:
    """A narrowing that leaves a handful, far from the query, of more than are all compared."""
    dice = np.random.default_rng(9)
    centre, elsewhere = around(dice, np.zeros(DIMENSIONS, np.float32), 2, 1.0)
    org_id = new_id()
    await keep(database, active, org_id, around(dice, centre, 300, 0.3))
    rare = await keep(database, active, org_id, around(dice, elsewhere, 5, 0.3))
    names = text("select source_id from documents where id = any(:rare)")
    async with database.transaction(org_id, holding=nearest.SETTINGS) as session:
        sources = list((await session.execute(names, {"rare": rare})).scalars())
        for exact_chunks in (0, 100, None):
            found, _ = await find(session, active, Scope(org_id, None, sources), centre, exact_chunks=exact_chunks)
            assert {one.document_id for one in found} == set(rare)
