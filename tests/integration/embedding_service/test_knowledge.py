"""Documents that clients bring: indexed, replaced, removed, narrowed by, and told to prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from libs.contracts.antiphon.embedding.v1.events_pb2 import (
    DocumentFailed,
    DocumentIndexed,
    DocumentRemoved,
    DocumentSubmitted,
)
from libs.ids import new_id
from libs.messaging import Delivery, Unavailable
from services.embedding import consumers as handlers
from services.embedding.domain import EmbeddingUnavailable
from services.embedding.usecases import Deps
from tests.integration.embedding_service.conftest import Client, Failing, Ledger, completed

REFUNDS = "Your money will be returned to your bank account within fourteen days of the return of the goods."
WARRANTY = "The guarantee covers every defect of material for two years, but no damage by water."
GARDEN = "Tulips are planted in autumn, as deep as three times their own height."


async def bring(client: Client, text: str, **fields: Any) -> dict[str, Any]:
    status, document = await client.call("POST", "/v1/documents", {"text": text, **fields})
    assert status in (200, 202), document
    return document


async def index_all(deps: Deps, ledger: Ledger) -> None:
    """Deliver what was submitted so far, each twice."""
    for event in await ledger.events(DocumentSubmitted):
        for _ in range(2):
            await handlers.index_document.handler(Delivery(event, str(new_id()), 1), deps)


async def test_a_text_is_found_once_it_is_indexed(client: Client, deps: Deps, ledger: Ledger) -> None:
    brought = await bring(client, REFUNDS, title="Returns", metadata={"shop": "north"})
    assert (brought["status"], brought["source_type"], brought["source_id"]) == ("pending", "knowledge", brought["id"])
    await bring(client, GARDEN)
    assert await client.sources("reimbursement") == []
    await index_all(deps, ledger)
    (best, *_) = await client.search("how do I get a reimbursement of money?")
    assert (best["source_id"], best["title"], best["metadata"]) == (brought["id"], "Returns", {"shop": "north"})
    assert (best["start"], best["end"]) == (0, len(REFUNDS))
    assert [REFUNDS[mark["start"] : mark["end"]] for mark in best["highlights"]] == ["money", "of", "of"]
    _, found = await client.call("GET", f"/v1/documents/{brought['id']}")
    assert (found["status"], found["chunks"], found["error"]) == ("indexed", 1, None)
    assert sorted(event.chunks for event in await ledger.events(DocumentIndexed)) == [1, 1]


async def test_the_same_text_is_kept_once(client: Client, deps: Deps, ledger: Ledger) -> None:
    first = await bring(client, REFUNDS)
    assert (await bring(client, REFUNDS))["id"] == first["id"]
    await index_all(deps, ledger)
    assert (await client.call("POST", "/v1/documents", {"text": REFUNDS}))[0] == 200
    assert len(await ledger.events(DocumentSubmitted)) == 1
    assert (await bring(client, REFUNDS, source_type="chat"))["id"] != first["id"]


async def test_another_text_of_a_source_takes_the_formers_place(client: Client, deps: Deps, ledger: Ledger) -> None:
    first = await bring(client, REFUNDS, source_id="faq-7")
    await index_all(deps, ledger)
    second = await bring(client, GARDEN, source_id="faq-7")
    assert second["id"] == first["id"]
    assert (await client.search("money back"))[0]["text"] == REFUNDS, "found until the new one is"
    await index_all(deps, ledger)
    assert [hit["text"] for hit in await client.search("money back")] == [GARDEN]


async def test_a_removed_text_is_found_no_more_and_may_come_again(client: Client, deps: Deps, ledger: Ledger) -> None:
    brought = await bring(client, REFUNDS, source_id="faq-8")
    waiting = await bring(client, GARDEN)
    assert (await client.call("DELETE", f"/v1/documents/{waiting['id']}"))[0] == 204
    await index_all(deps, ledger)
    status, _ = await client.call("DELETE", "/v1/documents", source_type="knowledge", source_id="faq-8")
    assert status == 204
    assert await client.search("money") == []
    for document in (brought, waiting):
        assert (await client.call("DELETE", f"/v1/documents/{document['id']}"))[0] == 404
        assert (await client.call("GET", f"/v1/documents/{document['id']}"))[0] == 404
    assert (await client.call("GET", "/v1/documents"))[1]["items"] == []
    assert {event.document_id for event in await ledger.events(DocumentRemoved)} == {brought["id"], waiting["id"]}
    await bring(client, REFUNDS, source_id="faq-8")
    await index_all(deps, ledger)
    assert await client.sources("money") == ["faq-8"]


async def test_what_cannot_be_embedded_is_tried_again_and_then_told(client: Client, deps: Deps, ledger: Ledger) -> None:
    brought = await bring(client, REFUNDS)
    (event,) = await ledger.events(DocumentSubmitted)
    delivery = Delivery(event, str(new_id()), 1)
    away = replace(deps, embedder=Failing(EmbeddingUnavailable("away")))
    with pytest.raises(Unavailable):
        await handlers.index_document.handler(delivery, away)
    exhausted = handlers.index_document.exhausted
    assert exhausted is not None
    for _ in range(2):
        await exhausted(delivery, away, "Unavailable: away")
    _, found = await client.call("GET", f"/v1/documents/{brought['id']}")
    assert found["status"] == "failed"
    assert "bring it again" in found["error"]
    assert len(await ledger.events(DocumentFailed)) == 1


async def test_a_long_text_is_found_by_each_of_its_parts(client: Client, deps: Deps, ledger: Ledger) -> None:
    filler = " ".join(f"Nothing of note happened on day {number}." for number in range(200))
    text = f"{filler} {WARRANTY} {filler}"
    brought = await bring(client, text, title="Diary")
    await index_all(deps, ledger)
    (best, *_) = await client.search("does the guarantee cover water damage?")
    assert (best["source_id"], text[best["start"] : best["end"]]) == (brought["id"], best["text"])
    assert WARRANTY in best["text"]
    _, told = await client.call(
        "POST", "/v1/search/context", {"query": "does the guarantee cover water damage?", "max_tokens": 600}
    )
    assert told["text"].startswith("[1] Diary\n")
    assert WARRANTY in told["text"]
    assert told["tokens"] <= 600
    assert [source["document_id"] for source in told["sources"]] == [brought["id"]] * len(told["sources"])


async def test_searches_are_narrowed(client: Client, deps: Deps, ledger: Ledger) -> None:
    north = await bring(client, REFUNDS, metadata={"shop": "north", "language": "en-GB"})
    south = await bring(client, f"{REFUNDS} By cheque.", metadata={"shop": "south"}, source_type="chat", source_id="s")
    await index_all(deps, ledger)
    spoken = completed(client.org_id, f"{REFUNDS} As spoken.")
    await handlers.index_generation.handler(Delivery(spoken, str(new_id()), 1), deps)
    for options, expected in (
        ({}, {north["id"], "s", spoken.generation_id}),
        ({"metadata": {"shop": "north"}}, {north["id"]}),
        ({"metadata": {"shop": "west"}}, set()),
        ({"language": "en-GB"}, {north["id"]}),
        ({"voice": "Aaron"}, {spoken.generation_id}),
        ({"source_types": ["chat", "generation"]}, {"s", spoken.generation_id}),
        ({"source_types": ["chat"], "source_ids": ["s", "t"]}, {"s"}),
        ({"since": "2020-01-01T00:00:00Z"}, {north["id"], "s", spoken.generation_id}),
        ({"until": "2020-01-01T00:00:00Z"}, set()),
        ({"minimum_similarity": 0.99}, set()),
    ):
        for mode in ("hybrid", "vector", "text"):
            if mode == "text" and "minimum_similarity" in options:
                continue
            assert set(await client.sources("money returned", mode=mode, **options)) == expected, (options, mode)
    assert south["id"] != north["id"]


async def test_what_another_organisation_brought_is_not_there(client: Client, deps: Deps, ledger: Ledger) -> None:
    brought = await bring(client, REFUNDS, source_id="mine")
    await index_all(deps, ledger)
    other = Client(client.session, new_id())
    assert await other.search("money") == []
    assert (await other.call("POST", "/v1/search/context", {"query": "money"}))[1]["sources"] == []
    assert (await other.call("GET", "/v1/documents"))[1]["items"] == []
    for method, path, query in (
        ("GET", f"/v1/documents/{brought['id']}", {}),
        ("DELETE", f"/v1/documents/{brought['id']}", {}),
        ("DELETE", "/v1/documents", {"source_type": "knowledge", "source_id": "mine"}),
    ):
        assert (await other.call(method, path, **query))[0] == 404


async def test_a_generations_document_goes_with_it(client: Client, deps: Deps, ledger: Ledger) -> None:
    spoken = completed(client.org_id, REFUNDS)
    await handlers.index_generation.handler(Delivery(spoken, str(new_id()), 1), deps)
    _, listed = await client.call("GET", "/v1/documents", source_type="generation")
    ((found),) = listed["items"]
    assert (found["source_id"], found["status"], found["chunks"]) == (spoken.generation_id, "indexed", 1)
    status, problem = await client.call("DELETE", f"/v1/documents/{found['id']}")
    assert (status, problem["code"]) == (409, "document_owned")
    assert await client.sources("money") == [spoken.generation_id]
    assert await ledger.events(DocumentRemoved) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"text": "x" * 1_000_001}, "text"),
        ({"text": "<p> </p>", "format": "html"}, "text"),
        ({"text": "a", "source_type": "voice"}, "source_type"),
        ({"text": "a", "source_id": ""}, "source_id"),
        ({"text": "a", "metadata": {"start": "1"}}, "metadata"),
        ({"text": "a", "metadata": {"k" * 41: "1"}}, "metadata"),
        ({"text": "a", "metadata": {str(number): "1" for number in range(33)}}, "metadata"),
        ({"text": "a", "unknown": 1}, "unknown"),
    ],
    ids=["empty", "nul", "long", "no words", "type", "source", "ours", "key", "many", "unknown"],
)
async def test_bad_input_is_named(client: Client, body: dict[str, Any], field: str) -> None:
    status, problem = await client.call("POST", "/v1/documents", body)
    assert status == 422
    assert field in problem["detail"]
