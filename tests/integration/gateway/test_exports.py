"""Taking data along: all services are asked once, each writes down what it has, and nothing that opens a door."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from libs.contracts.antiphon.analytics.v1 import events_pb2 as analytics_events
from libs.contracts.antiphon.embedding.v1 import events_pb2 as embedding_events
from libs.contracts.antiphon.gateway.v1 import events_pb2 as gateway_events
from libs.contracts.antiphon.generation.v1 import events_pb2 as generation_events
from libs.contracts.antiphon.storage.v1 import events_pb2 as storage_events
from libs.contracts.antiphon.voice.v1 import events_pb2 as voice_events
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Bus, Delivery
from libs.objectstore import ObjectStore, Stored
from libs.outbox import OutboxHook
from libs.outbox.exporting import Exported, export_key, exports
from services.analytics.usecases import exporting as analytics
from services.embedding.usecases import exporting as embedding
from services.gateway.domain.access import Role
from services.gateway.domain.exports import KEPT, SERVICES, Part
from services.gateway.store.exports import export_parts, lock_export
from services.gateway.usecases import exporting as gateway
from services.generation.usecases import exporting as generation
from services.storage.usecases import exporting as storage
from services.voice.usecases import exporting as voice
from tests.integration.gateway.access import Person, new_person
from tests.integration.gateway.asking import Api
from tests.integration.gateway.conftest import Tenant, new_tenant, running_gateway
from tests.support.servers import Servers

PARTIES: dict[str, tuple[Any, type[Message]]] = {  # Any: a module with EXPORTED and NOT_EXPORTED
    "analytics": (analytics, analytics_events.DataExported),
    "embedding": (embedding, embedding_events.DataExported),
    "gateway": (gateway, gateway_events.DataExported),
    "generation": (generation, generation_events.DataExported),
    "storage": (storage, storage_events.DataExported),
    "voice": (voice, voice_events.DataExported),
}
OF_EVERY_SERVICE = {"outbox", "outbox_sent", "erased_organizations"}
"""Events, which say again what the rows say; and whom nobody can ask for any more."""
SECRET = re.compile(r"hash|secret|token|password|embedding|object|sealed|_key$|_keys$|^payload$")
TOLD_ALL_THE_SAME = {
    ("audit_log", "hash"): "seals the log: whoever has it can see that nothing was changed",
    ("audit_log", "previous_hash"): "as hash",
    ("documents", "content_hash"): "of the organisation's own text",
    ("chunks", "content_hash"): "of the organisation's own text",
}
_COLUMNS = """
select c.relname as table, array_agg(a.attname::text) as columns
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.attnum > 0 and not a.attisdropped
group by c.relname
"""


async def _nobody_to_wake() -> None:
    """No relay runs: what was written stays to be looked at."""


@dataclass(frozen=True)
class Deps:
    """What an export needs of a service."""

    database: Database
    objects: ObjectStore
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


async def _columns(servers: Servers, service: str) -> dict[str, list[str]]:
    password = servers.service_database(service).owner_password
    connection = await asyncpg.connect(servers.url("owner", service), password=password)
    try:
        return {row["table"]: row["columns"] for row in await connection.fetch(_COLUMNS)}
    finally:
        await connection.close()


@pytest.mark.parametrize("service", sorted(PARTIES))
def test_every_table_with_rows_of_organisations_is_told_or_explained(
    servers: Servers, migrated: Callable[[str], None], service: str
) -> None:
    migrated(service)
    columns = asyncio.run(_columns(servers, service))
    module, _ = PARTIES[service]
    told: dict[str, Exported] = {one.table: one for one in module.EXPORTED}
    named = {*told, *module.NOT_EXPORTED, *OF_EVERY_SERVICE}
    of_organisations = {table for table, its in columns.items() if "org_id" in its} - {"inbox"}
    missing = of_organisations - named
    assert not missing, f"name {sorted(missing)} in EXPORTED of {service}, or in NOT_EXPORTED with a reason"
    assert named <= set(columns), f"{service} names tables that it does not have"
    for table, one in told.items():
        assert set(one.without) <= set(columns[table]), f"{table} does not have what is left out of it"
        shown = {name for name in columns[table] if name not in one.without}
        secret = {name for name in shown if SECRET.search(name)} - {
            name for of, name in TOLD_ALL_THE_SAME if of == table
        }
        assert not secret, f"{service}.{table} would tell {sorted(secret)}: name them in `without`"


@pytest.fixture
async def objects(servers: Servers) -> AsyncIterator[ObjectStore]:
    store = servers.object_store()
    yield store
    await store.close()


async def _events(database: Database, org_id: UUID, kind: type[Message]) -> list[Any]:  # Any: events of that kind
    query = text("select payload from outbox where org_id = :org and type_name = :kind order by seq")
    async with database.transaction() as session:
        rows = await session.execute(query, {"org": org_id, "kind": kind.DESCRIPTOR.full_name})
        return [kind.FromString(row.payload) for row in rows]


@pytest.mark.parametrize("service", sorted(PARTIES))
async def test_each_service_writes_its_part_once(
    servers: Servers, migrated: Callable[[str], None], objects: ObjectStore, service: str
) -> None:
    await asyncio.to_thread(migrated, service)
    database = servers.database(service, hooks=[OutboxHook(_nobody_to_wake)])
    module, told = PARTIES[service]
    work = exports(service, told, module.EXPORTED)
    org_id, export_id = new_id(), new_id()
    try:
        for user_id in ("", str(new_id())):
            asked = gateway_events.ExportRequested(
                org_id=str(org_id), export_id=str(export_id), user_id=user_id, requested_at=datetime.now(UTC)
            )
            delivery = Delivery(asked, str(new_id()), 1)
            for _ in range(2):
                await work.handler(delivery, Deps(database, objects))
        whole, persons = await _events(database, org_id, told)
    finally:
        await database.close()
    assert dict(whole.counts) == {one.table: 0 for one in module.EXPORTED}
    assert whole.object_key == export_key(org_id, export_id, service)
    assert set(persons.counts) == {one.table for one in module.EXPORTED if one.person is not None}
    assert bool(persons.object_key) == bool(persons.counts)
    assert (whole.error, whole.tries) == ("", 1)


async def test_what_cannot_be_written_is_told_by_its_kind_alone(
    servers: Servers, schema: None, objects: ObjectStore
) -> None:
    database = servers.database("gateway", hooks=[OutboxHook(_nobody_to_wake)])
    work = exports("gateway", gateway_events.DataExported, [Exported("organizations", also={"x": "1 / 0"})])
    org_id = new_id()
    asked = gateway_events.ExportRequested(org_id=str(org_id), export_id=str(new_id()))
    delivery, deps = Delivery(asked, str(new_id()), 6), Deps(database, objects)
    try:
        assert work.exhausted is not None
        await work.exhausted(delivery, deps, "DataError: Ada")
        await work.exhausted(delivery, deps, "DataError: Ada")
        (told,) = await _events(database, org_id, gateway_events.DataExported)
    finally:
        await database.close()
    assert (told.error, told.tries, told.object_key) == ("DataError", 6, "")


class Sink:
    """An object store that counts what is written and keeps none of it."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def put_parts(self, _key: str, parts: AsyncIterator[bytes], _content_type: str) -> Stored:
        async for part in parts:
            self.ids += [json.loads(line)["row"]["id"] for line in part.splitlines()]
        return Stored("0" * 64, "", 1)


async def _invite_many(database: Database, org_id: UUID, count: int) -> None:
    """Invitations, many of them of the same moment."""
    async with database.transaction(org_id) as session:
        await session.execute(
            text(
                "insert into invitations (id, org_id, email, role, hash, created_at, expires_at)"
                " select gen_random_uuid(), :org, n || '@example.org', 'viewer',"
                " sha256(gen_random_uuid()::text::bytea), now() - make_interval(secs => n / 5), now()"
                " from generate_series(1, :count) n"
            ),
            {"org": org_id, "count": count},
        )


async def test_pages_meet_without_gap_or_repeat_and_memory_stays_flat(keeping: Database, database: Database) -> None:
    """The 20,000 rows would take more than ten times what a page does."""
    page = 500
    table = Exported("invitations", order=("created_at", "id"), rows_at_once=page)
    work = exports("gateway", gateway_events.DataExported, [table])
    peaks = []
    for count in (2 * page, 20_000):
        other = await new_tenant(database)
        await _invite_many(database, other.org_id, count)
        sink: Any = Sink()  # Any: as much of an object store as is needed
        asked = gateway_events.ExportRequested(org_id=str(other.org_id), export_id=str(new_id()))
        tracemalloc.start()
        await work.handler(Delivery(asked, str(new_id()), 1), Deps(keeping, sink))
        # The ids that the sink keeps are not the export's.
        peaks.append(tracemalloc.get_traced_memory()[1] - sum(map(sys.getsizeof, sink.ids)))
        tracemalloc.stop()
        assert len(sink.ids) == len(set(sink.ids)) == count
        (told,) = await _events(keeping, other.org_id, gateway_events.DataExported)
        assert dict(told.counts) == {"invitations": count}
    assert peaks[1] < 2 * peaks[0]


@pytest.fixture
async def keeping(servers: Servers, schema: None) -> AsyncIterator[Database]:
    """The database with an outbox that keeps."""
    opened = servers.database("gateway", hooks=[OutboxHook(_nobody_to_wake)])
    yield opened
    await opened.close()


@pytest.fixture
async def api(keeping: Database, bus: Bus, objects: ObjectStore) -> AsyncIterator[Api]:
    async with running_gateway(keeping, bus, {}, objects=objects) as url, aiohttp.ClientSession(url) as session:
        yield Api(session)


@pytest.fixture
async def owner(database: Database, tenant: Tenant) -> Person:
    return await new_person(database, tenant.org_id, Role.OWNER)


async def _answer_all(keeping: Database, deps: Deps, org_id: UUID, but: Sequence[str] = ()) -> None:
    """The gateway does its part; the other services say that they have nothing, those in `but` that they failed."""
    newest = (await _events(keeping, org_id, gateway_events.ExportRequested))[-1]
    await exports("gateway", gateway_events.DataExported, gateway.EXPORTED).handler(
        Delivery(newest, str(new_id()), 1), deps
    )
    own = (await _events(keeping, org_id, gateway_events.DataExported))[-1]
    for service in sorted(SERVICES):
        of = own if service == "gateway" else gateway_events.DataExported()
        part = Part(
            service=service,
            counts=dict(of.counts),
            object_key=of.object_key or None,
            sha256=of.sha256 or None,
            size_bytes=of.size_bytes,
            error="DataError" if service in but else None,
            tries=6 if service in but else 1,
            exported_at=datetime.now(UTC),
        )
        for _ in range(2):
            async with keeping.transaction(org_id) as session:
                await gateway.collect_part(session, org_id, UUID(newest.export_id), part)


async def _download(api: Api, key: str, export_id: str) -> dict[str, bytes]:
    status, content_type, content = await api.download(key, f"/v1/exports/{export_id}/download")
    assert (status, content_type) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def _rows(file: bytes, table: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.splitlines()]
    return [line["row"] for line in lines if line["table"] == table]


async def test_an_organisation_takes_all_along_but_what_opens_doors(
    api: Api, owner: Person, tenant: Tenant, keeping: Database, objects: ObjectStore
) -> None:
    _, invited = await api(owner.key, "POST", "/v1/invitations", {"email": "ada@example.org"})
    wanted = {"url": "https://example.com/hook", "events": ["voice.*"]}
    _, hook = await api(owner.key, "POST", "/v1/webhooks", wanted)
    status, begun = await api(owner.key, "POST", "/v1/organization/export")
    assert (status, begun["status"], begun["waits_for"]) == (202, "running", sorted(SERVICES))
    path = f"/v1/exports/{begun['id']}"
    assert (await api(owner.key, "GET", f"{path}/download"))[1]["code"] == "export_not_ready"
    again = await api(owner.key, "POST", "/v1/organization/export")
    assert (again[0], again[1]["export_id"]) == (409, begun["id"])
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
    _, done = await api(owner.key, "GET", path)
    assert (done["status"], done["waits_for"], len(done["parts"])) == ("completed", [], len(SERVICES))
    files = await _download(api, owner.key, begun["id"])
    assert set(files) == {"report.json", "gateway.ndjson"}
    assert json.loads(files["report.json"])["id"] == begun["id"]
    told = files["gateway.ndjson"]
    assert [row["name"] for row in _rows(told, "organizations")] == ["Tenant"]
    assert {row["id"] for row in _rows(told, "api_keys")} == {str(owner.key_id), str(tenant.key_id)}
    assert [row["email"] for row in _rows(told, "invitations")] == ["ada@example.org"]
    assert [row["id"] for row in _rows(told, "users")] == [str(owner.user_id)]
    assert [row["url"] for row in _rows(told, "webhooks")] == ["https://example.com/hook"]
    assert [row["action"] for row in _rows(told, "audit_log")][-1] == "organization.exported"
    for secret in (owner.key, tenant.key, invited["token"], hook["secret"]):
        assert secret.encode() not in told
    assert b"org_id" not in told
    assert str(owner.org_id).encode() not in told.replace(
        json.dumps(_rows(told, "organizations")[0]["id"]).encode(), b""
    )
    assert (await api(owner.key, "GET", "/v1/audit"))[1]["items"][0]["action"] == "export.downloaded"


async def test_of_a_person_only_what_is_about_them_is_told(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    _, invited = await api(owner.key, "POST", "/v1/invitations", {"email": "Ada@example.org"})
    _, joined = await api(None, "POST", "/v1/invitations/accept", {"token": invited["token"], "name": "Ada"})
    ada = joined["user_id"]
    _, begun = await api(owner.key, "POST", f"/v1/members/{ada}/export")
    assert begun["user_id"] == ada
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
    told = (await _download(api, owner.key, begun["id"]))["gateway.ndjson"]
    assert [row["name"] for row in _rows(told, "users")] == ["Ada"]
    assert [row["email"] for row in _rows(told, "invitations")] == ["Ada@example.org"]
    assert [row["user_id"] for row in _rows(told, "memberships")] == [ada]
    assert {row["user_id"] for row in _rows(told, "api_keys")} == {ada}
    assert {row["action"] for row in _rows(told, "audit_log")} == {"invitation.accepted", "member.exported"}
    assert _rows(told, "organizations") == _rows(told, "webhooks") == []
    assert (await api(owner.key, "POST", f"/v1/members/{ada}/erasure"))[0] == 200
    assert (await api(owner.key, "GET", f"/v1/exports/{begun['id']}"))[1]["status"] == "expired"


async def test_a_service_that_gives_up_is_shown_and_the_rest_is_there(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    _, begun = await api(owner.key, "POST", "/v1/organization/export")
    await _answer_all(keeping, Deps(keeping, objects), owner.org_id, but=("voice",))
    _, shown = await api(owner.key, "GET", f"/v1/exports/{begun['id']}")
    (failed,) = [part for part in shown["parts"] if part["status"] == "failed"]
    assert (shown["status"], failed["service"], failed["error"], failed["tries"]) == ("failed", "voice", "DataError", 6)
    assert set(await _download(api, owner.key, begun["id"])) == {"report.json", "gateway.ndjson"}
    assert (await api(owner.key, "POST", "/v1/organization/export"))[0] == 202


async def test_files_go_when_an_export_expires_or_is_deleted(
    api: Api, owner: Person, keeping: Database, objects: ObjectStore
) -> None:
    ids = []
    for _ in range(2):
        _, begun = await api(owner.key, "POST", "/v1/organization/export")
        await _answer_all(keeping, Deps(keeping, objects), owner.org_id)
        ids.append(UUID(begun["id"]))
    keys = [export_key(owner.org_id, export_id, "gateway") for export_id in ids]
    assert (await api(owner.key, "DELETE", f"/v1/exports/{ids[0]}"))[0] == 204
    assert (await api(owner.key, "GET", f"/v1/exports/{ids[0]}"))[1]["code"] == "export_not_found"
    assert (await api(owner.key, "DELETE", f"/v1/exports/{ids[0]}"))[0] == 404
    deps: Any = Deps(keeping, objects)  # Any: the part of the gateway's dependencies that a sweep needs
    while await gateway.expire_some(deps):
        pass
    assert [await objects.exists(key) for key in keys] == [False, True]
    later: Any = Deps(keeping, objects, lambda: datetime.now(UTC) + KEPT + timedelta(minutes=1))
    while await gateway.expire_some(later):
        pass
    assert not await objects.exists(keys[1])
    answer = await api(owner.key, "GET", f"/v1/exports/{ids[1]}/download")
    assert (answer[0], answer[1]["code"]) == (410, "export_expired")


async def test_only_who_may_and_only_ones_own(api: Api, owner: Person, database: Database, keeping: Database) -> None:
    member = await new_person(database, owner.org_id, Role.MEMBER)
    assert (await api(member.key, "POST", "/v1/organization/export"))[1]["code"] == "scope_missing"
    assert (await api(owner.key, "POST", f"/v1/members/{new_id()}/export"))[1]["code"] == "member_not_found"
    _, begun = await api(owner.key, "POST", "/v1/organization/export")
    async with database.transaction(owner.org_id) as session:
        assert await lock_export(session, UUID(begun["id"]))
    async with database.transaction(new_id()) as session:
        assert not await lock_export(session, UUID(begun["id"]))
        assert (await session.execute(export_parts.select())).all() == []
