"""From events to what is found: each source once, in whatever order and however often it is told of."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from google.protobuf.message import Message

from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed, DocumentRemoved
from libs.ids import new_id
from libs.messaging import Delivery, Unavailable
from services.embedding import consumers as handlers
from services.embedding.domain import EmbeddingUnavailable, SourceType, cut
from services.embedding.store import documents
from services.embedding.usecases import Deps
from tests.integration.embedding_service.conftest import (
    Client,
    Failing,
    Ledger,
    completed,
    consuming,
    deleted,
    ready,
    silenced,
)
from tests.support.broker import Broker
from tests.support.servers import Servers

REFUND = "Your money will be returned to your bank account within fourteen days."
WEATHER = "Heavy rain and strong winds are expected along the coast tomorrow."
RECIPE = "Whisk the eggs with sugar, then fold in the flour and bake for half an hour."


@pytest.mark.usefixtures("consumers")
async def test_a_generation_is_found_by_its_meaning(client: Client, broker: Broker, ledger: Ledger) -> None:
    refund, weather, recipe = (completed(client.org_id, spoken) for spoken in (REFUND, WEATHER, RECIPE))
    for event in (refund, weather, recipe):
        await broker.publish(event)
    await broker.settled()
    (best, *others) = await client.search("how do I get a reimbursement?", source_types=["generation"])
    assert best["source_id"] == refund.generation_id
    assert best["source_type"] == "generation"
    assert best["text"] == best["title"] == REFUND
    assert {hit["source_id"] for hit in others} == {weather.generation_id, recipe.generation_id}
    assert (await client.sources("a storm is coming"))[0] == weather.generation_id
    assert (await client.sources("how to make a cake"))[0] == recipe.generation_id
    indexed = await ledger.events(DocumentIndexed)
    assert {(event.source_type, event.source_id, event.chunks) for event in indexed} == {
        ("generation", event.generation_id, 1) for event in (refund, weather, recipe)
    }
    assert best["document_id"] in {event.document_id for event in indexed}
    assert all(event.indexed_at.seconds for event in indexed)


@pytest.mark.usefixtures("consumers")
async def test_a_voice_is_found_by_what_people_say_of_it(client: Client, broker: Broker) -> None:
    calm = ready(client.org_id, "Soothing and soft, for lullabies", name="Mara")
    loud = ready(client.org_id, "Energetic commentator of football matches", name="Max")
    for event in (calm, loud):
        await broker.publish(event)
    await broker.settled()
    assert (await client.sources("a gentle voice to fall asleep to", source_types=["voice"]))[0] == calm.voice_id
    (hit,) = await client.search("Max", mode="text")
    assert (hit["source_type"], hit["source_id"], hit["title"]) == ("voice", loud.voice_id, "Max")
    assert "Customer Service voice" in hit["text"]
    assert "British English (en-GB)" in hit["text"]


@pytest.mark.usefixtures("consumers")
async def test_everybody_finds_system_voices_while_there_are_any(
    client: Client, stranger: Client, broker: Broker
) -> None:
    name = f"Zephyr{new_id().hex}"
    voice = ready(None, "Speaks like the wind", name=name)
    await broker.publish(voice)
    await broker.settled()
    found = [await somebody.sources(name, mode=mode) for somebody in (client, stranger) for mode in ("text", "vector")]
    await broker.publish(silenced(voice))
    await broker.settled()
    assert found == [[voice.voice_id]] * 4
    assert await client.sources(name) == []


@pytest.mark.usefixtures("consumers")
async def test_a_long_text_is_one_hit_by_its_best_chunk(client: Client, broker: Broker, ledger: Ledger) -> None:
    long = completed(client.org_id, " ".join([WEATHER] * 30 + [REFUND] + [RECIPE] * 30))
    await broker.publish(long)
    await broker.settled()
    (event,) = await ledger.events(DocumentIndexed)
    assert event.chunks > 3
    for mode in ("hybrid", "vector"):
        (hit,) = await client.search("reimbursement of money", mode=mode)
        assert REFUND in hit["text"]
        assert len(hit["text"]) <= 1000
        assert hit["title"].endswith("…")


@pytest.mark.usefixtures("consumers")
async def test_the_same_text_spoken_twice_is_found_twice(client: Client, broker: Broker) -> None:
    first, second = completed(client.org_id, REFUND), completed(client.org_id, REFUND)
    for event in (first, second):
        await broker.publish(event)
    await broker.settled()
    for mode in ("hybrid", "vector", "text"):
        found = await client.sources("money returned", mode=mode)
        assert sorted(found) == sorted([first.generation_id, second.generation_id])


@pytest.mark.usefixtures("consumers")
async def test_a_passage_repeated_within_a_text_is_kept_once(client: Client, broker: Broker, ledger: Ledger) -> None:
    drone = "on and on " * 500
    contents = [piece.content for piece in cut(drone)]
    await broker.publish(completed(client.org_id, drone))
    await broker.settled()
    (event,) = await ledger.events(DocumentIndexed)
    stored = await ledger.rows("select content from chunks where org_id is not null")
    assert event.chunks == len(stored) == len(set(contents)) < len(contents)


@pytest.mark.usefixtures("consumers")
async def test_an_event_delivered_many_times_is_answered_once(client: Client, broker: Broker, ledger: Ledger) -> None:
    event = completed(client.org_id, REFUND)
    event_id = await broker.publish(event)
    await asyncio.gather(*(broker.publish(event, event_id=event_id) for _ in range(20)))
    await broker.settled()
    assert await client.sources("refund") == [event.generation_id]
    assert len(await ledger.events(DocumentIndexed)) == 1


@pytest.mark.usefixtures("consumers")
async def test_what_is_told_under_several_ids_is_one_document(client: Client, broker: Broker, ledger: Ledger) -> None:
    event = completed(client.org_id, REFUND)
    await asyncio.gather(*(broker.publish(event) for _ in range(10)))
    await broker.settled()
    assert await client.sources("refund") == [event.generation_id]
    assert len(await ledger.events(DocumentIndexed)) == 1


@pytest.mark.usefixtures("consumers")
async def test_what_is_deleted_is_found_no_more(client: Client, broker: Broker, ledger: Ledger) -> None:
    gone, kept = completed(client.org_id, REFUND), completed(client.org_id, WEATHER)
    voice = ready(client.org_id, "Speaks of money and refunds")
    for event in (gone, kept, voice):
        await broker.publish(event)
    await broker.settled()
    assert set(await client.sources("refund")) == {gone.generation_id, kept.generation_id, voice.voice_id}
    causes = [await broker.publish(deleted(gone)), await broker.publish(silenced(voice))]
    await broker.settled()
    for mode in ("hybrid", "vector", "text"):
        assert set(await client.sources("money", mode=mode)) <= {kept.generation_id}
    removed = await ledger.events(DocumentRemoved)
    assert {(event.source_type, event.source_id) for event in removed} == {
        ("generation", gone.generation_id),
        ("voice", voice.voice_id),
    }
    assert {event.document_id for event in removed} < {
        event.document_id for event in await ledger.events(DocumentIndexed)
    }
    assert {event.removed_at.ToDatetime().year for event in removed} == {2026}
    traced = await ledger.rows(
        f"select cause from outbox where org_id = '{client.org_id}' and type_name like '%DocumentRemoved'"  # noqa: S608
    )
    assert {row.cause for row in traced} == set(map(str, causes))
    assert not await ledger.rows("select 1 from documents where status = 'removed' and title || content_hash <> ''")


@pytest.mark.usefixtures("consumers")
async def test_what_is_deleted_before_it_is_told_of_never_appears(
    client: Client, broker: Broker, ledger: Ledger
) -> None:
    generation, voice = completed(client.org_id, REFUND), ready(client.org_id, "Quiet")
    for early in (deleted(generation), silenced(voice)):
        await broker.publish(early)
    await broker.settled()
    for late in (generation, voice, ready(client.org_id, "Quiet", voice_id=voice.voice_id, revision=9)):
        await broker.publish(late)
    await broker.settled()
    assert await client.sources("refund or quiet") == []
    assert await ledger.events(DocumentIndexed) == await ledger.events(DocumentRemoved) == []


@pytest.mark.usefixtures("consumers")
async def test_the_newest_revision_of_a_voice_is_found_whatever_comes_last(
    client: Client, broker: Broker, ledger: Ledger
) -> None:
    expected = []
    for order in itertools.permutations((1, 2, 3)):
        voice_id = str(new_id())
        for revision in order:
            name = f"Rev{revision}x{voice_id[-6:]}"
            await broker.publish(ready(client.org_id, "A voice", voice_id=voice_id, revision=revision, name=name))
            await broker.settled()
        expected.append(("voice", voice_id, f"Rev3x{voice_id[-6:]}"))
    hits = await client.search("voice", source_types=["voice"], limit=100)
    shown = [(hit["source_type"], hit["source_id"], hit["title"]) for hit in hits if hit["title"].startswith("Rev")]
    assert sorted(shown) == sorted(expected)
    assert all(hit["title"] in hit["text"] for hit in hits)
    assert not await client.sources("Rev1x" + expected[0][1][-6:], mode="text")
    live = await ledger.rows("select 1 from documents where status = 'indexed' and org_id is not null")
    assert len(live) == len(expected)


async def test_events_at_once_and_repeated_end_in_the_same_state(
    servers: Servers, client: Client, broker: Broker, deps: Deps, ledger: Ledger
) -> None:
    """All orders between two streams: what was deleted is gone, what was not is there once."""
    kept = [completed(client.org_id, f"{REFUND} Case {number}.") for number in range(20)]
    gone = [completed(client.org_id, f"{WEATHER} Day {number}.") for number in range(20)]
    voices = [ready(client.org_id, "Calm", name=f"Calm{number}") for number in range(10)]
    events: Sequence[Message] = [*kept, *gone, *(deleted(event) for event in gone), *voices, *map(silenced, voices)]
    ids = [await broker.publish(event) for event in reversed(events)]
    async with consuming(servers, broker, deps):
        for event, event_id in zip(events, reversed(ids), strict=True):
            await broker.publish(event, event_id=event_id)
        await broker.settled()
    assert sorted(await client.sources("anything", source_types=["generation"], limit=250)) == sorted(
        event.generation_id for event in kept
    )
    assert len(await ledger.events(DocumentIndexed)) - len(await ledger.events(DocumentRemoved)) == len(kept)
    assert len(await ledger.rows("select 1 from documents where org_id is not null")) == 50


async def test_indexing_and_removal_at_the_same_moment_end_in_removal(
    client: Client, deps: Deps, ledger: Ledger
) -> None:
    async def remove(source_id: str) -> None:
        async with deps.database.transaction(client.org_id) as session:
            await documents.bury_documents(session, SourceType.GENERATION, [(client.org_id, source_id)])

    events = [completed(client.org_id, f"{RECIPE} {number}") for number in range(40)]
    jobs = [handlers.index_generation.handler(Delivery(event, str(new_id()), 1), deps) for event in events]
    # Against the order, so that some removals come before the indexing, some after, and some in between.
    await asyncio.gather(*jobs, *(remove(event.generation_id) for event in reversed(events)))
    assert await client.sources("a cake", source_types=["generation"], limit=250) == []
    statuses = await ledger.rows("select status, count(*) from documents where org_id is not null group by status")
    assert [tuple(row) for row in statuses] == [("removed", len(events))]
    assert await ledger.rows("select 1 from chunks where org_id is not null") == []


async def test_an_outage_of_the_provider_is_waited_out(client: Client, deps: Deps, ledger: Ledger) -> None:
    delivery = Delivery(completed(client.org_id, REFUND), str(new_id()), 1)
    with pytest.raises(Unavailable, match="no answer"):
        await handlers.index_generation.handler(
            delivery, replace(deps, embedder=Failing(EmbeddingUnavailable("no answer")))
        )
    assert await ledger.rows("select 1 from documents where org_id is not null") == []
    await handlers.index_generation.handler(delivery, deps)
    assert await client.sources("refund", source_types=["generation"]) == [delivery.event.generation_id]
