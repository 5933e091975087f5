"""What a search finds, for whom, and what it says to bad requests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Delivery
from services.embedding import consumers as handlers
from services.embedding.adapters import MiniLm
from services.embedding.domain import EmbeddingError, EmbeddingRefused, EmbeddingUnavailable, Index
from services.embedding.store import hits, nearest
from services.embedding.store.indexes import QueryVector
from services.embedding.store.scope import Scope
from services.embedding.usecases import Deps
from tests.integration.embedding_service.conftest import EVERYTHING, Client, Failing, completed, ready, serving
from tests.support.servers import Servers

MANY = 250
TOPICS = ("the harbour at dawn", "a recipe with apples", "rules of chess", "the moons of Jupiter", "tax returns")


async def index(deps: Deps, *events: GenerationCompleted) -> None:
    await asyncio.gather(
        *(handlers.index_generation.handler(Delivery(event, str(new_id()), 1), deps) for event in events)
    )


async def many(deps: Deps, client: Client) -> list[str]:
    events = [completed(client.org_id, f"Take {number} about {TOPICS[number % 5]}.") for number in range(MANY)]
    await index(deps, *events)
    return sorted(event.generation_id for event in events)


@pytest.mark.parametrize("exact_chunks", [1_000_000, 100, 0])
async def test_as_many_are_found_as_are_asked_for(deps: Deps, client: Client, exact_chunks: int) -> None:
    """By comparing all, and by an index that holds others' chunks too."""
    expected = await many(deps, client)
    async with serving(replace(deps, exact_chunks=exact_chunks)) as session:
        asker = Client(session, client.org_id)
        for mode in ("hybrid", "vector", "text"):
            assert sorted(await asker.sources("take about", limit=250, mode=mode)) == expected
            for limit in (1, 10, 249):
                found = await asker.sources("take about", limit=limit, mode=mode)
                assert len(set(found)) == len(found) == limit
                assert set(found) <= set(expected)


async def test_the_index_is_used_and_finds_what_comparing_all_finds(
    deps: Deps, client: Client, database: Database, minilm: MiniLm, active: Index
) -> None:
    """Row-level security keeps the planner from it unless it is told."""
    await many(deps, client)
    # More than are looked for, so that in the place of those that the index misses come others like them.
    await index(
        deps, *(completed(client.org_id, f"Take {MANY + more} about the moons of Jupiter.") for more in range(20))
    )
    scope = Scope(client.org_id, None)
    query = QueryVector(active, (await minilm.embed(["astronomy"]))[0])
    scans = text(f"select pg_stat_get_xact_numscans('vectors_{active.id}_nearest'::regclass)")
    async with database.transaction(client.org_id, holding=nearest.SETTINGS) as session:
        exact = await nearest.list_nearest(session, scope, query, 50, sizes=nearest.Sizes(), exact_chunks=EVERYTHING)
        assert (await session.execute(scans)).scalar_one() == 0
        by_index = await nearest.list_nearest_by_index(session, scope, query, 50)
        assert (await session.execute(scans)).scalar_one() == 1
        shown = await hits.list_hits(session, by_index, query)
        wanted = await hits.list_hits(session, exact, query)
    # The index may miss one or two that are hardly different; how much it finds of all is measured in test_recall.
    assert len({one.chunk_id for one in exact[:20]} & {one.chunk_id for one in by_index}) >= 18
    similar = {one.chunk_id: one.similarity for one in exact}
    both = [one for one in by_index if one.chunk_id in similar]
    assert [one.similarity for one in both] == pytest.approx([similar[one.chunk_id] for one in both], abs=1e-3)
    for found in (shown, wanted):
        assert found is not None
        assert len(found) == 50
        assert all("Jupiter" in hit.text for hit in found)


async def test_hits_come_best_first_with_their_scores(deps: Deps, client: Client, minilm: MiniLm) -> None:
    texts = ["The moons of Jupiter", "The planets of the sun", "A recipe with apples"]
    await index(deps, *(completed(client.org_id, spoken) for spoken in texts))
    vectors = await minilm.embed(["moons", *texts])
    cosines = sorted((float(vectors[0] @ vector) for vector in vectors[1:]), reverse=True)
    nearest = await client.search("moons", mode="vector")
    assert [hit["similarity"] for hit in nearest] == pytest.approx(cosines, abs=2e-3)
    assert [hit["score"] for hit in nearest] == [hit["similarity"] for hit in nearest]
    (worded,) = await client.search("moons", mode="text")
    assert (worded["title"], worded["similarity"]) == (texts[0], None)
    assert worded["score"] > 0
    both = await client.search("moons")
    assert both[0]["title"] == texts[0]
    assert both[0]["score"] == pytest.approx(2 / 61)
    assert [hit["score"] for hit in both[1:]] == pytest.approx([1 / 62, 1 / 63])
    assert all(hit["similarity"] is not None for hit in both)


async def test_words_find_what_meaning_misses(deps: Deps, client: Client) -> None:
    """A name that the model has never heard of."""
    await index(deps, *(completed(client.org_id, f"The order of customer {name}.") for name in ("Qx7", "Zr9", "Vv3")))
    for number in range(60):
        await index(deps, completed(client.org_id, f"Order number {number} of a customer called Zr{number + 10}."))
    (hit,) = await client.search("Zr9", mode="text")
    assert hit["text"] == "The order of customer Zr9."
    assert (await client.search("Zr9"))[0]["text"] == hit["text"]


async def test_a_search_may_be_for_some_types_only(deps: Deps, client: Client) -> None:
    generation, voice = completed(client.org_id, "An evening by the sea"), ready(client.org_id, "Like an evening sea")
    await index(deps, generation)
    await handlers.index_voice.handler(Delivery(voice, str(new_id()), 1), deps)
    for mode in ("hybrid", "vector", "text"):
        for types, expected in (
            (["generation"], {generation.generation_id}),
            (["voice"], {voice.voice_id}),
            (["voice", "generation"], {generation.generation_id, voice.voice_id}),
            (None, {generation.generation_id, voice.voice_id}),
        ):
            assert set(await client.sources("evening sea", source_types=types, mode=mode)) == expected


async def test_another_organisation_finds_nothing(deps: Deps, client: Client, stranger: Client) -> None:
    await index(deps, completed(client.org_id, "Our secret plan"), completed(client.org_id, "Another secret"))
    for mode in ("hybrid", "vector", "text"):
        assert len(await client.search("secret", mode=mode)) == 2
        assert await stranger.search("secret", mode=mode, limit=250) == []
    async with serving(replace(deps, exact_chunks=0)) as session:
        assert await Client(session, stranger.org_id).search("secret") == []


@pytest.mark.parametrize(
    "query",
    [
        "'",
        '"',
        "\\",
        "& | ! <->",
        "%",
        "-",
        "or or",
        "a" * 1000,
        "é\u0301 🎙️ 你好",
        "\n\t x",
        ":*",
        "(((",
        "{{}}",
        "$1 ?",
    ],
)
async def test_any_text_can_be_looked_for(deps: Deps, client: Client, query: str) -> None:
    await index(deps, completed(client.org_id, "Something"))
    for mode in ("hybrid", "vector", "text"):
        assert len(await client.search(query, mode=mode)) <= 1


@pytest.mark.parametrize(
    ("body", "field", "limits"),
    [
        ({}, "query", {}),
        ({"query": ""}, "query", {"min_length": 1}),
        ({"query": "   \n"}, "query", {}),
        ({"query": "x" * 1001}, "query", {"max_length": 1000}),
        ({"query": "a\0b"}, "query", {}),
        ({"query": "\ud800"}, "query", {}),
        ({"query": 7}, "query", {}),
        ({"query": "a", "limit": 0}, "limit", {"ge": 1}),
        ({"query": "a", "limit": 251}, "limit", {"le": 250}),
        ({"query": "a", "limit": 1.5}, "limit", {}),
        ({"query": "a", "mode": "magic"}, "mode", {}),
        ({"query": "a", "source_types": []}, "source_types", {"min_length": 1}),
        ({"query": "a", "source_types": ["song"]}, "source_types.0", {}),
        ({"query": "a", "sort": "asc"}, "sort", {}),
    ],
)
async def test_bad_requests_are_told_the_field_and_the_limit(
    client: Client, body: Any, field: str, limits: dict[str, int]
) -> None:
    status, problem = await client.ask(body)
    assert (status, problem["code"]) == (422, "invalid_request")
    (error,) = problem["errors"]
    assert error["field"] == field
    assert error.items() >= limits.items()


async def test_a_request_without_identity_is_refused(client: Client) -> None:
    async with client.session.post("/v1/search", json={"query": "a"}) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (EmbeddingUnavailable("away", retry_after=7.2), "8"),
        (EmbeddingUnavailable("away"), "5"),
        (EmbeddingRefused("wrong key"), "5"),
    ],
)
async def test_without_meaning_words_are_still_found(
    deps: Deps, client: Client, error: EmbeddingError, wait: str
) -> None:
    await index(deps, completed(client.org_id, "Plain words"))
    async with serving(replace(deps, embedder=Failing(error))) as session:
        asker = Client(session, client.org_id)
        async with asker.post({"query": "words"}) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, wait)
            problem = await response.json(content_type=None)
        assert problem["code"] == "embedding_unavailable"
        assert '"mode": "text"' in problem["detail"]
        (hit,) = await asker.search("words", mode="text")
        assert hit["title"] == "Plain words"


async def test_a_search_that_takes_too_long_is_given_up(deps: Deps, client: Client, servers: Servers) -> None:
    """Somebody holds the table; afterwards searches go on as before."""
    await index(deps, completed(client.org_id, "Plain words"))
    wanted = servers.service_database("embedding")
    owner = Database(servers.url("owner", "embedding"), wanted.owner_password, application="test")
    async with serving(replace(deps, search_seconds=0.3)) as session:
        asker = Client(session, client.org_id)
        async with owner.transaction() as holder:
            await holder.execute(text("lock table chunks in access exclusive mode"))
            async with asker.post({"query": "words"}) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "5")
                assert (await response.json(content_type=None))["code"] == "search_timeout"
        await owner.close()
        assert len(await Client(session, client.org_id).search("words")) == 1
