"""The tables: whose rows are seen by whom, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from libs.apikeys import new_api_key
from libs.database import Database, migrate
from libs.ids import SYSTEM_ORG, new_id
from services.gateway.domain.access import Role
from services.gateway.domain.credentials import digest_of
from services.gateway.domain.members import Invitation
from services.gateway.store import audit, erasures, members
from services.gateway.store import organizations as store
from tests.integration.gateway.access import new_person
from tests.integration.gateway.conftest import Tenant, new_tenant
from tests.support.schemas import empty_database, objects_of
from tests.support.servers import Servers


async def test_another_organisation_sees_and_changes_nothing(database: Database, tenant: Tenant) -> None:
    other = await new_tenant(database)
    for scope in ((other.org_id,), (SYSTEM_ORG,), ()):
        for table in (store.organizations, store.api_keys):
            own = table.c.id if table is store.organizations else table.c.org_id
            async with database.transaction(*scope) as session:
                seen = (await session.execute(select(own).where(own == tenant.org_id))).all()
                changed = await session.execute(
                    update(table).where(own == tenant.org_id).values(name="Mine").returning(own)
                )
                deleted = await session.execute(delete(table).where(own == tenant.org_id).returning(own))
                assert (seen, changed.all(), deleted.all()) == ([], [], [])
    async with database.transaction(tenant.org_id) as session:
        assert (await session.execute(select(store.organizations.c.name))).scalars().all() == ["Tenant"]
        assert (await session.execute(select(store.api_keys.c.name))).scalars().all() == ["Key"]


async def test_nobody_makes_a_key_for_another_organisation(database: Database, tenant: Tenant) -> None:
    other = await new_tenant(database)
    values = {"id": new_id(), "org_id": tenant.org_id, "name": "Mine", "prefix": "ant_", "hash": bytes(32)}
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.transaction(other.org_id) as session:
            await session.execute(insert(store.api_keys).values(**values, created_at=text("now()")))


async def test_of_people_and_what_is_written_of_them_another_organisation_sees_nothing(
    database: Database, tenant: Tenant
) -> None:
    other = await new_tenant(database)
    await new_person(database, tenant.org_id, Role.OWNER)
    now = datetime.now(UTC)
    invitation = Invitation(new_id(), "ada@example.org", Role.VIEWER, now, now + timedelta(days=1))
    async with database.transaction(tenant.org_id) as session:
        await members.insert_invitation(session, tenant.org_id, invitation, digest_of(new_api_key()))
        await audit.append(session, tenant.org_id, "test", at=now, key_id=None, user_id=None, details={})
        await erasures.insert_erasure(session, new_id(), tenant.org_id, now)
    tables = (
        store.users,
        store.memberships,
        members.invitations,
        audit.audit_log,
        audit.audit_heads,
        erasures.erasures,
    )
    for scope, seen in (((tenant.org_id,), 1), ((other.org_id,), 0), ((SYSTEM_ORG,), 0), ((), 0)):
        async with database.transaction(*scope) as session:
            for table in tables:
                assert len((await session.execute(select(table))).all()) == seen, (table.name, scope)
    async with database.transaction(tenant.org_id) as session:
        assert (await session.execute(text("select * from key_changes"))).all() == [], "nobody's to read"


async def test_every_table_is_isolated_from_its_owner_too(database: Database) -> None:
    """But those that are of no organisation, or say nothing but ids to functions alone."""
    async with database.transaction() as session:
        open_tables = await session.execute(
            text(
                """
                select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
                where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                    and not (c.relrowsecurity and c.relforcerowsecurity)
                """
            )
        )
        assert set(open_tables.scalars()) <= {"outbox", "outbox_sent", "webhook_queue", "erased_organizations"}


async def test_a_key_is_found_by_its_whole_hash_only(database: Database, tenant: Tenant) -> None:
    digest = digest_of(tenant.key)
    async with database.transaction() as session:
        found = await store.get_valid_key(session, digest)
        assert found is not None
        assert (found.id, found.org_id) == (tenant.key_id, tenant.org_id)
        for wrong in (digest_of(new_api_key()), digest[:31], b"", b"%"):
            assert await store.get_valid_key(session, wrong) is None
        assert (await session.execute(select(store.api_keys))).all() == []


async def test_only_the_service_may_look_up_keys(servers: Servers, database: Database) -> None:
    async with database.transaction() as session:
        granted = await session.execute(
            text(
                "select has_function_privilege(r, 'find_api_key(bytea)', 'execute') from unnest(array[:app, :other]) r"
            ),
            {"app": "gateway_app", "other": "pg_monitor"},
        )
        assert granted.scalars().all() == [True, False]


@pytest.fixture
def scratch(servers: Servers, migrated: Callable[[str], None]) -> Iterator[str]:
    """The URL, as the owner, of an empty database beside the service's own."""
    migrated("gateway")  # makes the roles
    with empty_database(servers, "gateway") as url:
        yield url


def test_the_schema_goes_up_down_and_up_again(servers: Servers, scratch: str) -> None:
    password = servers.service_database("gateway").owner_password
    migrate.upgrade("gateway", scratch, password)
    first = asyncio.run(objects_of(scratch, password))
    assert {"r organizations", "r api_keys", "r outbox", "policy api_keys.api_keys_tenant"} <= set(first)
    migrate.downgrade("gateway", scratch, password)
    assert asyncio.run(objects_of(scratch, password)) == []
    migrate.upgrade("gateway", scratch, password)
    assert asyncio.run(objects_of(scratch, password)) == first
