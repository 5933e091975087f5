"""The first organisation and its key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, select, text, update

from libs.apikeys import new_api_key
from libs.contracts.antiphon.gateway.v1.events_pb2 import ApiKeyCreated, OrganizationCreated
from libs.database import Database
from services.gateway.domain.credentials import digest_of
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.store import organizations as store
from services.gateway.usecases import organizations as usecases
from services.gateway.usecases.organizations import MalformedBootstrapKey, ensure_first_organization
from tests.support.outbox import UNSENT
from tests.support.servers import Servers


@pytest.fixture
async def database(servers: Servers, schema: None) -> AsyncIterator[Database]:
    """A database without a first organisation, and with an outbox that keeps."""
    opened = servers.database("gateway", hooks=[UNSENT])
    async with opened.transaction(FIRST_ORGANIZATION_ID) as session:
        await session.execute(delete(store.organizations).where(store.organizations.c.id == FIRST_ORGANIZATION_ID))
        await session.execute(text("delete from outbox"))
    yield opened
    await opened.close()


def _now() -> datetime:
    return datetime.now(UTC)


async def _emitted(database: Database) -> list[tuple[str, bytes]]:
    async with database.transaction() as session:
        rows = await session.execute(text("select type_name, payload from outbox order by seq"))
        return [(row.type_name, row.payload) for row in rows]


async def test_it_is_made_once_however_often_and_by_however_many(database: Database) -> None:
    key = new_api_key()
    await asyncio.gather(*(ensure_first_organization(database, _now, key) for _ in range(8)))
    await ensure_first_organization(database, _now, key)

    caller = await usecases.authenticate(database, _now, digest_of(key))
    assert caller is not None
    assert caller.org_id == FIRST_ORGANIZATION_ID
    async with database.transaction(FIRST_ORGANIZATION_ID) as session:
        organization = (await session.execute(select(store.organizations))).one()
        kept = (await session.execute(select(store.api_keys))).one()
    assert (organization.name, organization.plan) == ("Default", "enterprise")
    assert (kept.id, kept.prefix, kept.hash) == (caller.key_id, key[:10], digest_of(key))
    assert key not in str(kept)

    (first, created), (second, key_created) = await _emitted(database)
    assert (first, second) == ("antiphon.gateway.v1.OrganizationCreated", "antiphon.gateway.v1.ApiKeyCreated")
    assert OrganizationCreated.FromString(created).org_id == str(FIRST_ORGANIZATION_ID)
    assert OrganizationCreated.FromString(created).plan == "enterprise"
    assert ApiKeyCreated.FromString(key_created).key_id == str(caller.key_id)
    assert key.encode() not in key_created


async def test_another_key_is_added(database: Database) -> None:
    first, second = new_api_key(), new_api_key()
    await ensure_first_organization(database, _now, first)
    await ensure_first_organization(database, _now, second)
    callers = [await usecases.authenticate(database, _now, digest_of(key)) for key in (first, second)]
    assert [caller and caller.org_id for caller in callers] == [FIRST_ORGANIZATION_ID] * 2
    assert [name.rpartition(".")[2] for name, _ in await _emitted(database)] == [
        "OrganizationCreated",
        "ApiKeyCreated",
        "ApiKeyCreated",
    ]


async def test_a_revoked_key_stays_revoked(database: Database) -> None:
    key = new_api_key()
    await ensure_first_organization(database, _now, key)
    async with database.transaction(FIRST_ORGANIZATION_ID) as session:
        await session.execute(update(store.api_keys).values(revoked_at=datetime.now(UTC)))
    await ensure_first_organization(database, _now, key)
    assert await usecases.authenticate(database, _now, digest_of(key)) is None


@pytest.mark.parametrize("content", ["", "secret", "ant_" + "a" * 36])
async def test_a_file_with_something_else_is_refused(database: Database, content: str) -> None:
    with pytest.raises(MalformedBootstrapKey, match="ANTIPHON_BOOTSTRAP_KEY_FILE"):
        await ensure_first_organization(database, _now, content)
    assert await _emitted(database) == []
