"""An organisation goes: its doors close at once, services are asked twice, and the report says what each deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.gateway.v1.events_pb2 import ApiKeyRevoked, OrganizationErasureRequested
from libs.database import Database, driver_of, is_database_away
from libs.ids import new_id
from libs.outbox.erasing import erase_rows
from services.analytics.usecases.erasing import ERASED as ANALYTICS
from services.embedding.usecases.erasing import ERASED as EMBEDDING
from services.gateway.domain.access import Role
from services.gateway.domain.erasures import SERVICES, Report
from services.gateway.domain.members import Invitation
from services.gateway.store import erasures as store
from services.gateway.store import members
from services.gateway.usecases.erasing import collect_report
from services.generation.usecases.erasing import ERASED as GENERATION
from services.storage.usecases.erasing import ERASED as STORAGE
from services.voice.usecases.erasing import ERASED as VOICE
from tests.integration.gateway.access import Person, new_person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.conftest import Tenant, new_tenant
from tests.integration.gateway.exporting import events_of
from tests.support.polling import eventually
from tests.support.servers import Servers

BY_EVENT = {"outbox", "outbox_sent", "erased_organizations"}
"""Of every service: what waits to be told, what was told, which `erase_rows` deletes, and that it is erased."""
ERASED = {
    "analytics": {*ANALYTICS, *BY_EVENT},
    "embedding": {*EMBEDDING, *BY_EVENT},
    "gateway": {*store.ERASED, *store.KEPT, "memberships", "outbox_sent"},
    "generation": {*GENERATION, *BY_EVENT},
    "storage": {*STORAGE, *BY_EVENT},
    "voice": {*VOICE, *BY_EVENT},
}
GUARDED = {
    "analytics": ANALYTICS,
    "embedding": EMBEDDING,
    "gateway": (*store.ERASED, "memberships"),
    "generation": GENERATION,
    "storage": STORAGE,
    "voice": VOICE,
}
_GUARDS = """
select t.tgrelid::regclass::text as table, p.proname as function
from pg_trigger t join pg_proc p on p.oid = t.tgfoid
where t.tgenabled = 'O' and p.proname in ('refuse_erased', 'drop_erased_events')
    and not (select c.relispartition from pg_class c where c.oid = t.tgrelid)
"""
_TABLES_OF_ORGANISATIONS = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.attname = 'org_id'
"""


async def _asked(servers: Servers, service: str, query: str) -> list[asyncpg.Record]:
    password = servers.service_database(service).owner_password
    connection = await asyncpg.connect(servers.url("owner", service), password=password)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


@pytest.mark.parametrize("service", sorted(ERASED))
def test_every_table_with_rows_of_organisations_is_named(
    servers: Servers, migrated: Callable[[str], None], service: str
) -> None:
    migrated(service)
    tables = {row["relname"] for row in asyncio.run(_asked(servers, service, _TABLES_OF_ORGANISATIONS))}
    assert tables - ERASED[service] == set(), "delete their rows in `ERASED`, or say in `KEPT` why they stay"
    assert ERASED[service] - tables == set()


@pytest.mark.parametrize("service", sorted(GUARDED))
def test_every_table_that_is_emptied_takes_nothing_more(
    servers: Servers, migrated: Callable[[str], None], service: str
) -> None:
    migrated(service)
    guards = {(row["table"], row["function"]) for row in asyncio.run(_asked(servers, service, _GUARDS))}
    wanted = {(table, "refuse_erased") for table in GUARDED[service]} | {("outbox", "drop_erased_events")}
    assert wanted - guards == set(), "a migration has to execute `tombstones.refuse` for these tables"


async def _insert_invitation(session: AsyncSession, org_id: UUID) -> None:
    invitation = Invitation(new_id(), "ada@example.org", Role.VIEWER, datetime.now(UTC), datetime.now(UTC))
    await members.insert_invitation(session, org_id, invitation, new_id().bytes * 2)


async def _count(database: Database, org_id: UUID, table: str) -> int:
    async with database.transaction(org_id) as session:
        found = await session.execute(text(f"select count(*) from {table} where org_id = :org"), {"org": org_id})  # noqa: S608
        return int(found.scalar_one())


async def _held_in_the_middle(database: Database, org_id: UUID) -> None:
    """As a request that has read something, and writes when its organisation is erased meanwhile."""
    async with database.transaction(org_id) as session:
        await session.execute(text("select count(*) from invitations"))
        await erase_rows(database, org_id, store.ERASED)
        await _insert_invitation(session, org_id)


async def test_what_was_begun_before_the_erasure_writes_nothing_after_it(database: Database, tenant: Tenant) -> None:
    with pytest.raises(DBAPIError, match="erased") as refused:
        await _held_in_the_middle(database, tenant.org_id)
    assert is_database_away(refused.value), "whoever is refused tries again, and finds that there is nobody left"
    assert await _count(database, tenant.org_id, "invitations") == 0


async def test_what_is_written_when_the_erasure_comes_is_waited_for_and_erased(
    database: Database, tenant: Tenant
) -> None:
    async with database.transaction(tenant.org_id) as session:
        await _insert_invitation(session, tenant.org_id)
        erasing = asyncio.create_task(erase_rows(database, tenant.org_id, store.ERASED))

        async def waits() -> bool:
            query = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and wait_event = 'advisory'"
            async with database.apart() as other:
                return bool(await driver_of(other).fetchval(query))

        await eventually(waits, within=10, what="the erasure to wait")
        other = await new_tenant(database)
        async with database.transaction(other.org_id) as theirs:
            await _insert_invitation(theirs, other.org_id)
    assert (await asyncio.wait_for(erasing, 10))["invitations"] == 1
    assert await _count(database, tenant.org_id, "invitations") == 0
    assert await _count(database, other.org_id, "invitations") == 1


async def test_what_is_told_of_it_afterwards_is_left_out(keeping: Database, tenant: Tenant) -> None:
    other = await new_tenant(keeping)
    async with keeping.transaction(tenant.org_id, other.org_id) as session:
        await erase_rows(keeping, tenant.org_id, store.ERASED)
        for org_id in (tenant.org_id, other.org_id):
            outbox.add(session, ApiKeyRevoked(org_id=str(org_id), key_id=str(new_id())))
            outbox.add(session, OrganizationErasureRequested(org_id=str(org_id), erasure_id=str(new_id()), round=2))
    assert await events_of(keeping, tenant.org_id, ApiKeyRevoked) == []
    assert len(await events_of(keeping, other.org_id, ApiKeyRevoked)) == 1
    assert len(await events_of(keeping, tenant.org_id, OrganizationErasureRequested)) == 1


async def test_only_an_owner_who_repeats_the_name_erases(api: Api, owner: Person, database: Database) -> None:
    admin = await new_person(database, owner.org_id, Role.ADMIN)
    assert (await api(admin.key, "POST", "/v1/organization/erasure", {"name": "Tenant"}))[0] == 403
    status, told = await api(owner.key, "POST", "/v1/organization/erasure", {"name": "tenant"})
    assert (status, told["errors"][0]["field"]) == (422, "name")
    assert (await api(owner.key, "GET", "/v1/organization"))[0] == 200
    assert (await api(None, "GET", f"/v1/erasures/{new_id()}"))[1]["code"] == "erasure_not_found"


async def test_its_doors_close_at_once_and_its_rows_go(
    api: Api, owner: Person, tenant: Tenant, database: Database
) -> None:
    other = await new_person(database, (await new_tenant(database)).org_id, Role.OWNER)
    await api(owner.key, "POST", "/v1/invitations", {"email": "ada@example.org"})
    status, begun = await api(owner.key, "POST", "/v1/organization/erasure", {"name": "Tenant"})
    assert (status, begun["status"]) == (202, "running")
    for key in (owner.key, tenant.key):
        assert (await api(key, "GET", "/v1/keys/current"))[0] == 401
    (report,) = (await api(None, "GET", f"/v1/erasures/{begun['id']}"))[1]["reports"]
    counts = {name: report["counts"][name] for name in ("api_keys", "memberships", "invitations", "organizations")}
    assert (report["service"], counts) == (
        "gateway",
        {"api_keys": 2, "memberships": 1, "invitations": 1, "organizations": 1},
    )
    async with database.transaction(owner.org_id) as session:
        for name in (*store.ERASED, "memberships", "users"):
            assert (await session.execute(text(f"select count(*) from {name}"))).scalar_one() == 0  # noqa: S608
        actions = await session.execute(text("select action from audit_log order by seq"))
        assert actions.scalars().all()[-1] == "organization.erased"
    assert (await api(other.key, "GET", "/v1/members"))[1]["items"][0]["user_id"] == str(other.user_id)


async def test_services_are_asked_twice_and_each_counts_once(api: Api, owner: Person, keeping: Database) -> None:
    _, begun = await api(owner.key, "POST", "/v1/organization/erasure", {"name": "Tenant"})
    erasure_id = UUID(begun["id"])
    asked = OrganizationErasureRequested(org_id=str(owner.org_id), erasure_id=begun["id"], round=1)

    async def answer(service: str, of_round: int) -> None:
        report = Report(service, of_round, {"rows": of_round}, datetime.now(UTC))
        async with keeping.transaction(owner.org_id) as session:
            await collect_report(session, owner.org_id, erasure_id, report, cause=None)

    async def requests() -> list[int]:
        query = text(
            "select payload from outbox where org_id = :org and type_name like '%ErasureRequested' order by seq"
        )
        async with keeping.transaction() as session:
            rows = await session.execute(query, {"org": owner.org_id})
            return [asked.FromString(row.payload).round for row in rows]

    for of_round in (1, 2):
        for service in sorted(SERVICES):
            assert (await api(None, "GET", f"/v1/erasures/{begun['id']}"))[1]["status"] == "running"
            await answer(service, of_round)
            await answer(service, of_round)
        assert await requests() == [2]
    done = (await api(None, "GET", f"/v1/erasures/{begun['id']}"))[1]
    assert done["status"] == "completed"
    reported = {(one["service"], one["round"]) for one in done["reports"]}
    assert reported == {(service, of_round) for service in (*SERVICES, "gateway") for of_round in (1, 2)}


async def test_of_a_person_nothing_is_kept(api: Api, owner: Person, database: Database) -> None:
    _, invited = await api(owner.key, "POST", "/v1/invitations", {"email": "Ada@example.org"})
    accepting = {"token": invited["token"], "name": "Ada"}
    _, joined = await api(None, "POST", "/v1/invitations/accept", accepting)
    await api(joined["key"]["key"], "POST", "/v1/keys", {"name": "Ada's"})
    status, erased = await api(owner.key, "POST", f"/v1/members/{joined['user_id']}/erasure")
    assert (status, erased["counts"]) == (200, {"api_keys": 2, "invitations": 1, "memberships": 1})
    assert (await api(joined["key"]["key"], "GET", "/v1/keys/current"))[0] == 401
    async with database.transaction(owner.org_id) as session:
        for name in (*store.ERASED, "memberships", "audit_log"):
            if name == "webhook_queue":
                continue
            rows = await session.execute(text(f"select row_to_json(t)::text from {name} t"))  # noqa: S608
            assert not [row for row in rows.scalars() if "Ada" in row or "ada@" in row.lower()], name
    assert (await api(owner.key, "GET", "/v1/audit"))[1]["items"][0]["action"] == "member.erased"
    assert (await api(owner.key, "POST", f"/v1/members/{owner.user_id}/erasure"))[1]["code"] == "last_owner"
