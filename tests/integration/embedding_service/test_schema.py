# ruff: noqa: S608 - the tables' names are written here
"""What the database itself holds: tenants apart, one model an index, and a history that goes both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.database import Database, migrate
from libs.ids import SYSTEM_ORG, new_id
from libs.messaging import Delivery
from services.embedding import consumers as handlers
from services.embedding.domain import EmbeddingUnavailable, Index, ModelChanged, SearchMode
from services.embedding.store.scope import Scope
from services.embedding.usecases import Deps, Wanted, adopt_model, search
from tests.integration.embedding_service.conftest import Client, Failing, completed, ready
from tests.support.schemas import objects_of
from tests.support.servers import Servers

OWN = "org_id is not null"
FIND = """
    select count(*) from chunks_by_words(
        :word, array[:word], '{1}', '{}', '{}', :org, null, null, null, null, null, cast(:combinations as text[]), 9, 9)
"""


async def index(deps: Deps, client: Client, word: str) -> None:
    event = completed(client.org_id, f"Something {word}")
    await handlers.index_generation.handler(Delivery(event, str(new_id()), 1), deps)


@pytest.mark.parametrize("table", ["documents", "chunks"])
async def test_another_organisation_sees_and_changes_nothing(
    deps: Deps, client: Client, database: Database, table: str
) -> None:
    await index(deps, client, "private")
    async with database.transaction(client.org_id) as session:
        assert (await session.execute(text(f"select count(*) from {table} where {OWN}"))).scalar_one() == 1
    for others in ((new_id(),), (), (SYSTEM_ORG,)):
        async with database.transaction(*others) as session:
            assert (await session.execute(text(f"select count(*) from {table} where {OWN}"))).scalar_one() == 0
            for change in (f"update {table} set org_id = org_id where {OWN}", f"delete from {table} where {OWN}"):
                assert (await session.execute(text(change))).rowcount == 0  # type: ignore[attr-defined]
    for foreign in (f"'{new_id()}'", "null"):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with database.transaction(client.org_id) as session:
                await session.execute(text(f"update {table} set org_id = {foreign}"))


async def test_the_functions_keep_to_the_transactions_organisations(
    deps: Deps, client: Client, database: Database
) -> None:
    word = f"w{new_id().hex}"
    await index(deps, client, word)
    for organisations, expected in (
        ((client.org_id,), 1),
        ((client.org_id, new_id()), 1),
        ((new_id(),), 0),
        ((SYSTEM_ORG,), 0),
        ((), 0),
    ):
        async with database.transaction(*organisations) as session:
            for combinations in (None, ["{1}", "{}"]):
                asked = {"word": word, "org": client.org_id, "combinations": combinations}
                assert (await session.execute(text(FIND), asked)).scalar_one() == expected
            common = await session.execute(text("select chunks from common_words(:org, 9)"), {"org": client.org_id})
            assert common.scalar_one() == expected
            assert (await session.execute(text("select count_chunks(9, null)"))).scalar_one() == expected
            assert (await session.execute(text("select count_chunks(9, '{voice}')"))).scalar_one() == 0


async def test_no_organisation_writes_for_everybody(deps: Deps, client: Client, database: Database) -> None:
    voice = ready(None, "Everybody's")
    await handlers.index_voice.handler(Delivery(voice, str(new_id()), 1), deps)
    for table, column in (("documents", "source_id"), ("chunks", "content")):
        async with database.transaction(client.org_id) as session:
            for change in (f"update {table} set {column} = 'x'", f"delete from {table}"):
                assert (await session.execute(text(change))).rowcount == 0  # type: ignore[attr-defined]
    async with database.transaction(SYSTEM_ORG) as session:
        removed = await session.execute(text("delete from documents where source_id = :id"), {"id": voice.voice_id})
        assert removed.rowcount == 1  # type: ignore[attr-defined]


async def test_chunks_go_with_their_document(deps: Deps, client: Client, database: Database) -> None:
    await index(deps, client, "short-lived")
    async with database.transaction(client.org_id) as session:
        await session.execute(text(f"delete from documents where {OWN}"))
        assert (await session.execute(text(f"select count(*) from chunks where {OWN}"))).scalar_one() == 0


async def test_an_index_holds_the_vectors_of_one_model(deps: Deps) -> None:
    await asyncio.gather(*(adopt_model(deps) for _ in range(4)))
    other = replace(deps, embedder=Failing(EmbeddingUnavailable("not asked"), model_id="another-model"))
    with pytest.raises(ModelChanged, match=r"made with all-MiniLM-L6-v2, but another-model is configured"):
        await adopt_model(other)
    await adopt_model(deps)


async def test_vectors_of_another_organisation_are_not_seen_through_any_table(
    deps: Deps, client: Client, database: Database, active: Index
) -> None:
    """Neither through the table that all indexes share, nor through the one that an index has to itself."""
    await index(deps, client, "private")
    count = f"select count(*) from vectors where {OWN}"
    async with database.transaction(client.org_id) as session:
        assert (await session.execute(text(count))).scalar_one() == 1
        assert (await session.execute(text(f"select count(*) from vectors_{active.id}"))).scalar_one() == 0
    for others in ((new_id(),), (), (SYSTEM_ORG,)):
        async with database.transaction(*others) as session:
            assert (await session.execute(text(count))).scalar_one() == 0
            assert (await session.execute(text(f"delete from vectors where {OWN}"))).rowcount == 0  # type: ignore[attr-defined]


async def test_vectors_go_with_their_chunks(deps: Deps, client: Client, database: Database) -> None:
    await index(deps, client, "short-lived")
    async with database.transaction(client.org_id) as session:
        await session.execute(text(f"delete from documents where {OWN}"))
        assert (await session.execute(text(f"select count(*) from vectors where {OWN}"))).scalar_one() == 0


async def test_vectors_come_through_the_migration_and_back(
    servers: Servers, deps: Deps, client: Client, database: Database
) -> None:
    await index(deps, client, "lasting")
    kept = f"select embedding::text from {{}} where {OWN}"
    async with database.transaction(client.org_id) as session:
        (vector,) = (await session.execute(text(kept.format("vectors")))).scalars()
    url, password = servers.url("owner", "embedding"), servers.service_database("embedding").owner_password
    await asyncio.to_thread(migrate.downgrade, "embedding", url, password, "0008")
    try:
        async with database.transaction(client.org_id) as session:
            assert (await session.execute(text(kept.format("chunks")))).scalars().all() == [vector]
    finally:
        await asyncio.to_thread(migrate.upgrade, "embedding", url, password)
    async with database.transaction(client.org_id) as session:
        assert (await session.execute(text(kept.format("vectors")))).scalars().all() == [vector]
    await adopt_model(deps)
    wanted = Wanted("lasting", SearchMode.VECTOR, Scope(client.org_id, None))
    assert [hit.text for hit in await search(deps, wanted, 5) if hit.source_type == "generation"] == [
        "Something lasting"
    ]


async def test_migrations_go_up_down_and_up(
    servers: Servers, migrated: Callable[[str], None], database: Database
) -> None:
    await asyncio.to_thread(migrated, "embedding")
    # What earlier releases have no word for.
    for status in ("pending", "failed"):
        org_id = new_id()
        async with database.transaction(org_id) as session:
            statement = text(
                "insert into documents (id, org_id, source_type, source_id, title, status, content_hash, revision)"
                " values (:id, :org, 'knowledge', 'a', 'A', :status, repeat('0', 64), 1)"
            )
            await session.execute(statement, {"id": new_id(), "org": org_id, "status": status})
    wanted = servers.service_database("embedding")
    url = servers.url("owner", "embedding")
    await asyncio.to_thread(migrate.downgrade, "embedding", url, wanted.owner_password)
    assert await objects_of(url, wanted.owner_password) == []
    await asyncio.to_thread(migrate.upgrade, "embedding", url, wanted.owner_password)
    assert migrate.head("embedding") is not None
