"""A text of an organisation is embedded once in a model, whoever brings it and however often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentSubmitted
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging import Delivery, Unavailable
from services.embedding import consumers as handlers
from services.embedding.adapters import MiniLm, Vectors
from services.embedding.domain import EmbeddingUnavailable, Index, content_hash
from services.embedding.store import documents
from services.embedding.usecases import Deps
from services.embedding.usecases.models import KnownIndexes, Making
from tests.integration.embedding_service.conftest import Client, Ledger, completed, ready
from tests.integration.embedding_service.test_search import index, many
from tests.support.servers import Servers
from tests.support.statistics import NEVER, forget_statistics, rows_read


@dataclass
class Counting:
    """The model, and what it was asked."""

    minilm: MiniLm
    asked: list[str] = field(default_factory=list)
    error: EmbeddingUnavailable | None = None
    model_id: str = MiniLm.model_id
    dimensions: int = MiniLm.dimensions

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return await self.minilm.embed(texts)

    async def close(self) -> None:
        """It belongs to others."""


@pytest.fixture
def counting(minilm: MiniLm) -> Counting:
    return Counting(minilm)


def fresh(deps: Deps, counting: Counting) -> Deps:
    """Another process, which remembers nothing."""
    return replace(deps, embedder=counting, making=Making(), known=KnownIndexes())


async def generated(deps: Deps, client: Client, spoken: str) -> None:
    event = completed(client.org_id, spoken)
    await handlers.index_generation.handler(Delivery(event, str(new_id()), 1), deps)


async def test_the_same_text_is_embedded_once(deps: Deps, counting: Counting, client: Client, ledger: Ledger) -> None:
    """Together, later, in another process, and as part of a document that a client brings."""
    spoken = "The keeper of the lighthouse left in winter."
    one = fresh(deps, counting)
    await asyncio.gather(*(generated(one, client, spoken) for _ in range(5)))
    await generated(one, client, spoken)
    await generated(fresh(deps, counting), client, spoken)
    assert (await client.call("POST", "/v1/documents", {"text": spoken}))[0] == 202
    (event,) = await ledger.events(DocumentSubmitted)
    await handlers.index_document.handler(Delivery(event, str(new_id()), 1), fresh(deps, counting))
    assert counting.asked == [spoken]
    assert len(await ledger.rows("select 1 from vectors where org_id is not null")) == 8


async def test_another_organisations_text_is_its_own(
    deps: Deps, counting: Counting, client: Client, stranger: Client
) -> None:
    spoken = "A secret that two have."
    one = fresh(deps, counting)
    await generated(one, client, spoken)
    await generated(one, stranger, spoken)
    assert counting.asked == [spoken, spoken]


async def test_what_failed_is_made_by_whoever_comes_next(deps: Deps, counting: Counting, client: Client) -> None:
    spoken = "Nobody answers at first."
    one = fresh(deps, counting)
    counting.error = EmbeddingUnavailable("away")
    for outcome in await asyncio.gather(*(generated(one, client, spoken) for _ in range(3)), return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    counting.error = None
    await generated(one, client, spoken)
    assert (await client.sources("nobody answers"))[:1] != []


async def test_nothing_is_kept_for_an_index_that_is_no_longer_active(
    deps: Deps, client: Client, active: Index, ledger: Ledger
) -> None:
    """Between embedding and writing another one has become the active one: it is embedded again, later."""
    slow = replace(deps, known=KnownIndexes([replace(active, id=active.id + 1_000)], float("inf")))
    with pytest.raises(Unavailable):
        await generated(slow, client, "Too late.")
    assert await ledger.rows("select 1 from chunks where org_id is not null") == []
    assert not slow.known.until > 0


@asynccontextmanager
async def for_everybody(deps: Deps) -> AsyncIterator[str]:
    """Have a voice that all organisations find, for a while; yields the hash of what is said of it."""
    voice = ready(None, "Found by everybody")
    await handlers.index_voice.handler(Delivery(voice, str(new_id()), 1), deps)
    try:
        async with deps.database.transaction(SYSTEM_ORG) as session:
            hashed = text(
                "select content_hash from chunks "
                "where document_id = (select id from documents where source_id = :id and org_id is null)"
            )
            everybodys = await session.scalar(hashed, {"id": voice.voice_id})
        yield str(everybodys)
    finally:
        async with deps.database.transaction(SYSTEM_ORG) as session:
            await session.execute(text("delete from documents where source_id = :id"), {"id": voice.voice_id})


async def test_what_is_known_is_found_without_reading_all_there_is(
    deps: Deps, client: Client, active: Index, servers: Servers
) -> None:
    """A plan that was made while there was little is kept until much has come."""
    await many(deps, client)
    await index(deps, completed(client.org_id, "Mine."))
    tables = ("chunks", f"vectors_{active.id}")
    async with for_everybody(deps) as everybodys:
        await forget_statistics(servers, "antiphon_embedding", dict.fromkeys(tables, NEVER))
        keys = [(client.org_id, content_hash("Mine.")), (client.org_id, content_hash("Nobody's.")), (None, everybodys)]
        async with deps.database.transaction(client.org_id) as session:
            before = await rows_read(session, tables)
            found = await documents.list_known_vectors(session, active, keys)
            read = await rows_read(session, tables) - before
    assert set(found) == {keys[0], keys[2]}
    assert read <= 8
