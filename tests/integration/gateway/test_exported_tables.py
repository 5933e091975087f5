"""What each service writes down of an organisation: every table, page by page, and nothing that opens a door."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

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
from libs.messaging import Delivery
from libs.objectstore import ObjectStore, Stored
from libs.outbox.exporting import Exported, export_key, exports
from services.analytics.usecases import exporting as analytics
from services.embedding.usecases import exporting as embedding
from services.gateway.usecases import exporting as gateway
from services.generation.usecases import exporting as generation
from services.storage.usecases import exporting as storage
from services.voice.usecases import exporting as voice
from tests.integration.gateway.conftest import new_tenant
from tests.integration.gateway.exporting import Deps, events_of
from tests.support.outbox import UNSENT
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


@pytest.mark.parametrize("service", sorted(PARTIES))
async def test_each_service_writes_its_part_once(
    servers: Servers, migrated: Callable[[str], None], objects: ObjectStore, service: str
) -> None:
    await asyncio.to_thread(migrated, service)
    database = servers.database(service, hooks=[UNSENT])
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
        whole, persons = await events_of(database, org_id, told)
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
    database = servers.database("gateway", hooks=[UNSENT])
    work = exports("gateway", gateway_events.DataExported, [Exported("organizations", also={"x": "1 / 0"})])
    org_id = new_id()
    asked = gateway_events.ExportRequested(org_id=str(org_id), export_id=str(new_id()))
    delivery, deps = Delivery(asked, str(new_id()), 6), Deps(database, objects)
    try:
        assert work.exhausted is not None
        await work.exhausted(delivery, deps, "DataError: Ada")
        await work.exhausted(delivery, deps, "DataError: Ada")
        (told,) = await events_of(database, org_id, gateway_events.DataExported)
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
        (told,) = await events_of(keeping, other.org_id, gateway_events.DataExported)
        assert dict(told.counts) == {"invitations": count}
    assert peaks[1] < 2 * peaks[0]
