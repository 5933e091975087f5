"""Searches by words: any of them, those first that have all or the rarest, however many chunks there are."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from libs.database import Database
from services.embedding.domain import DIMENSIONS, Index, Source, SourceType, cut
from services.embedding.store import documents, words
from services.embedding.store.indexes import WRITING
from tests.integration.embedding_service.conftest import Client

FILLER = 1_500
"""Chunks of an organisation that is too large to read all of them."""


async def keep(database: Database, index: Index, client: Client, texts: dict[str, str]) -> None:
    """Keep texts under their names, with vectors that mean nothing."""
    dice = np.random.default_rng(5)
    sources = [
        Source(client.org_id, SourceType.KNOWLEDGE, name, 1, name, said, {"name": name}) for name, said in texts.items()
    ]
    async with database.transaction(client.org_id, holding=WRITING) as session:
        saved = await documents.save_documents(session, sources)
        new = []
        for one in sources:
            pieces = cut(one.text)
            vectors = dice.standard_normal((len(pieces), DIMENSIONS)).astype(np.float32)
            new.append(documents.NewChunks(saved[one.key][0], one, pieces, {index.id: vectors}))
        await documents.insert_chunks(session, new)


TEXTS = {
    "all": "The refund of the blender E1042 takes a week.",
    "apart": "A refund is due. Whoever sends a blender back waits for a week, unless it is of the kind E1042.",
    "rare": "E1042 means that the lid is open.",
    "common": "The lid of the jar and the lid of the box.",
    "other": "Nothing of it here.",
    "more": "A blender with a guarantee, and a refund.",
}


@pytest.fixture(params=[0, FILLER], ids=["few", "many"])
async def kept(request: pytest.FixtureRequest, database: Database, active: Index, client: Client) -> Client:
    """An organisation with TEXTS, alone or among many others that have common words only."""
    filler = {f"filler {number}": f"The lid of jar number {number} and of the box." for number in range(request.param)}
    await keep(database, active, client, TEXTS | filler)
    return client


async def named(client: Client, query: str, limit: int = 10) -> list[str]:
    hits = await client.search(query, mode="text", limit=limit)
    return [hit["source_id"] for hit in hits]


async def test_what_has_all_words_comes_first_then_what_has_the_rarest(kept: Client) -> None:
    found = await named(kept, "refund of the blender E1042", 5)
    assert found[:2] == ["all", "apart"]
    assert set(found[2:4]) == {"rare", "more"}
    assert (await named(kept, "what does E1042 mean, the lid"))[0] == "rare"


async def test_quotes_minus_and_or_mean_what_they_do(kept: Client) -> None:
    assert set(await named(kept, '"refund of the blender" kettle')) == {"all"}
    assert set(await named(kept, "blender -guarantee")) == {"all", "apart"}
    assert set(await named(kept, 'E1042 -"lid is open"')) == {"all", "apart"}
    assert set(await named(kept, "guarantee or E1042")) == {"all", "apart", "rare", "more"}
    assert await named(kept, '"refund of the jar"') == []


async def test_words_that_all_have_leave_no_result_short(kept: Client) -> None:
    there = len(TEXTS) - 1
    assert len(await named(kept, "the lid of a kettle", 250)) >= there - 1
    assert len(await named(kept, "zzz of the", 3)) == 3
    narrowed = await kept.search("the of zzz", mode="text", metadata={"name": "common"})
    assert [hit["source_id"] for hit in narrowed] == ["common"]


async def test_what_matches_is_marked(kept: Client) -> None:
    (hit, *_) = await kept.search("kettle E1042 lid", mode="text")
    marked = [hit["text"][one["start"] : one["end"]] for one in hit["highlights"]]
    assert (hit["source_id"], marked) == ("rare", ["E1042", "lid"])


async def test_a_document_of_very_many_chunks_hides_no_other(database: Database, active: Index, client: Client) -> None:
    """What is looked at first is all of one document."""
    book = "".join(f"Chapter {number}: the lid of the jar. {'word ' * 150}\n" for number in range(1_100))
    notes = {f"note {number}": f"Note {number} of a lid." for number in range(20)}
    await keep(database, active, client, {"book": book, "lid": "A lid."} | notes)
    assert len(await named(client, "lid jar kettle", 22)) == 22


@pytest.mark.parametrize("kept", [FILLER], indirect=True)
async def test_no_more_is_ranked_than_can_be_in_time(kept: Client, database: Database) -> None:
    """Of words that all have some chunks are looked at; and it is told that there are more."""
    asked = text(
        """
        select bool_or(complete), count(*) from chunks_by_words(
            'the lid of a kettle', '{lid,of}', '{1,1}', '{}', '{}', :org, null, null, null, null, null,
            '{"{1,2}","{}"}', 1000, :most)
        """
    )
    async with database.transaction(kept.org_id) as session:
        vocabulary = await words.Vocabularies().look(session, kept.org_id)
        for most, expected in ((100, (False, 200)), (10_000, (False, 1000))):
            found = (await session.execute(asked, {"org": kept.org_id, "most": most})).one()
            assert found[0] == expected[0]
            assert found[1] <= expected[1]
    assert vocabulary.share("of") > 0.5
    assert vocabulary.share("zzz") == vocabulary.unknown


async def test_the_same_is_found_whatever_was_known_before(kept: Client) -> None:
    """At first it is not known how much there is; then few are searched in one statement, many side by side."""
    at_first = await kept.search("refund of the blender E1042", limit=20)
    again = await kept.search("refund of the blender E1042", limit=20)
    assert [hit["source_id"] for hit in again] == [hit["source_id"] for hit in at_first]
    assert [hit["score"] for hit in again] == pytest.approx([hit["score"] for hit in at_first])
    assert "all" in [hit["source_id"] for hit in again]
