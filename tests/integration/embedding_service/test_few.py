"""Searches in one statement, where there is little to search: the same hits, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.database import Database, driver_of
from libs.ids import new_id
from libs.messaging import Delivery
from services.embedding import consumers as handlers
from services.embedding.domain import SearchMode
from services.embedding.store import few
from services.embedding.store.scope import Scope
from services.embedding.store.words import Vocabularies
from services.embedding.usecases import Deps, Wanted, find_passages, search
from tests.integration.embedding_service.conftest import Client, completed
from tests.integration.embedding_service.test_search import index

TEXTS = ("The moons of Jupiter", "The planets of the sun", "A recipe with apples", "The apples of the moon")


@pytest.mark.parametrize("mode", SearchMode)
@pytest.mark.parametrize("least", [None, 0.3])
async def test_the_same_is_found_in_one_statement(
    deps: Deps, client: Client, mode: SearchMode, least: float | None
) -> None:
    """At first it is not known how much there is."""
    await index(deps, *(completed(client.org_id, spoken) for spoken in TEXTS))
    wanted = Wanted("moons and apples", mode, Scope(client.org_id, None), None if mode is SearchMode.TEXT else least)
    at_first = await search(deps, wanted, 10)
    by_words = mode is not SearchMode.VECTOR
    assert few.known_few(wanted.scope, deps.sizes, deps.vocabularies, None, by_words=by_words) is not None
    again = await search(deps, wanted, 10)
    assert [hit.text for hit in again] == [hit.text for hit in at_first]
    assert [hit.score for hit in again] == pytest.approx([hit.score for hit in at_first])
    assert again[0].document_id == at_first[0].document_id
    passages = await find_passages(deps, wanted, 1_000)
    slowly = await find_passages(replace(deps, vocabularies=Vocabularies()), wanted, 1_000)
    assert [(hit.text, hit.start, hit.end) for hit in passages] == [(hit.text, hit.start, hit.end) for hit in slowly]


async def test_one_statement_finds_nothing_of_others_and_leaves_nothing_behind(
    deps: Deps, client: Client, database: Database
) -> None:
    await index(deps, completed(client.org_id, "Our secret plan"))
    for mode in SearchMode:
        for _ in range(2):
            assert len(await search(deps, Wanted("secret", mode, Scope(client.org_id, None)), 10)) == 1
        for _ in range(2):
            assert await search(deps, Wanted("secret", mode, Scope(new_id(), None)), 10) == []
    async with database.apart() as session:
        assert await driver_of(session).fetchval("select nullif(current_setting('app.orgs', true), '')") is None
        assert await driver_of(session).fetchval("select count(*) from chunks where org_id is not null") == 0


async def test_what_came_since_is_found_though_less_was_known(deps: Deps, client: Client) -> None:
    await index(deps, completed(client.org_id, "A first text"))
    wanted = Wanted("text zebra", SearchMode.HYBRID, Scope(client.org_id, None))
    assert len(await search(deps, wanted, 10)) == 1
    await handlers.index_generation.handler(Delivery(completed(client.org_id, "A zebra text"), str(new_id()), 1), deps)
    assert [hit.text for hit in await search(deps, wanted, 10)] == ["A zebra text", "A first text"]
