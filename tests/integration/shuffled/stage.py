"""One consumer group with its real runners, database, broker and object store, to which histories are told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from minio import Minio
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from sqlalchemy.engine import make_url

from libs.contracts.registry import decode
from libs.database import Database
from libs.messaging import Bus, Consumers, connect
from libs.messaging.projections import ProjectionRunner
from libs.messaging.provision import provision
from libs.messaging.topology import (
    DEAD_LETTER_PREFIX,
    DEAD_LETTERS,
    durables,
    projection_durable,
    projections_by_stream,
)
from libs.messaging.works import WorkRunner
from libs.objectstore import ObjectStore
from tests.integration.shuffled.histories import History, Told
from tests.integration.shuffled.lives import BEGINNING
from tests.support.broker import publish
from tests.support.outbox import UNSENT
from tests.support.polling import eventually
from tests.support.servers import Servers

MADE_WHEN_APPLIED = frozenset({"id", "created_at", "updated_at"})
"""Columns that no event decides."""
_TABLES_OF_ORGANISATIONS = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and a.attname = 'org_id' and c.relname not in ('outbox', 'outbox_sent')
"""
_AS_JSON = "select row_to_json(t) from ({}) t"


@dataclass(frozen=True)
class Emitted:
    """A row of the outbox."""

    event: Message
    cause: str | None

    @property
    def name(self) -> str:
        return self.event.DESCRIPTOR.name

    def fields(self, *hidden: str) -> str:
        """The event but for its times and the fields `hidden`, in a form that compares and sorts."""
        content = MessageToDict(self.event, preserving_proto_field_name=True)
        kept = {name: value for name, value in content.items() if not name.endswith("_at") and name not in hidden}
        return f"{self.name} {json.dumps(kept, sort_keys=True)} after {self.cause}"


@dataclass(frozen=True)
class Party:
    """A consumer group as this test sees it.

    `hidden` are columns beyond MADE_WHEN_APPLIED, by table, that may differ, and `instead` what to compare in the
    place of a whole table. `meaning` is what a history's emitted events come to.
    """

    consumers: Consumers
    service: str
    user: str
    prepare: Callable[[Stage, History], Any]
    deps: Callable[[Stage], Any]
    meaning: Callable[[History, Sequence[Emitted]], list[str]]
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Where a history has led to."""

    tables: dict[str, list[str]]
    objects: list[str]
    emitted: list[str]

    def differences(self, other: State) -> list[str]:
        """What one has and the other has not, for people."""
        ours, theirs = Counter(self._lines()), Counter(other._lines())
        return [f"only here: {line}" for line in ours - theirs] + [f"only there: {line}" for line in theirs - ours]

    def _lines(self) -> list[str]:
        rows = [f"{table}: {row}" for table, its_rows in self.tables.items() for row in its_rows]
        return rows + [f"object: {key}" for key in self.objects] + [f"emitted: {told}" for told in self.emitted]


class Stage:
    """The running group. Everything that it has is emptied before each history."""

    def __init__(
        self, servers: Servers, party: Party, bus: Bus, teller: Bus, database: Database, objects: ObjectStore
    ) -> None:
        """`teller` publishes what other services' relays would."""
        self.servers = servers
        self.party = party
        self.bus = bus
        self.teller = teller
        self.database = database
        self.objects = objects
        self.closing = AsyncExitStack()
        self._durables = durables([party.consumers])
        address = servers.object_store_address
        self._bucket = Minio(
            address.endpoint.removeprefix("http://"),
            access_key=address.access_key,
            secret_key=address.secret_key,
            secure=False,
            region=address.region,
        )

    @property
    def admin_url(self) -> str:
        return str(make_url(self.servers.admin_url).set(database=f"antiphon_{self.party.service}"))

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """The database without row-level security."""
        connection = await asyncpg.connect(self.admin_url, password=self.servers.secret("postgres_admin"))
        try:
            yield connection
        finally:
            await connection.close()

    async def play(self, history: History, parts: Iterable[Sequence[Told]]) -> State:
        """Tell `parts` of a history one after the other, each once the one before has been applied."""
        await self._clear(history)
        await self.party.prepare(self, history)
        for part in parts:
            await self._applied(await asyncio.gather(*(self._publish(told) for told in part)))
        assert await self._dead_letters() == 0
        return await self._state(history)

    async def play_late(
        self, history: History, erase: Callable[[Stage, History], Any], late: Sequence[Told]
    ) -> dict[str, int]:
        """Erase the organisations of a history that has begun, then tell `late`; returns rows of them, by table."""
        await self._clear(history)
        await self.party.prepare(self, history)
        await erase(self, history)
        await self.tell(late)
        assert await self._dead_letters() == 0
        found = {}
        async with self.admin() as connection:
            tables = await connection.fetch(_TABLES_OF_ORGANISATIONS)
            for (table,) in tables:
                query = f"select count(*) from {table} where org_id = any($1)"  # noqa: S608 - a table of ours
                if rows := await connection.fetchval(query, list(history.orgs)):
                    found[table] = rows
        return found

    async def tell(self, events: Sequence[Told]) -> None:
        """Tell events together, and wait until all are applied."""
        await self._applied(await asyncio.gather(*(self._publish(told) for told in events)))

    async def _publish(self, told: Told) -> tuple[str, int]:
        published = await publish(self.teller, told.event, event_id=told.event_id, at=BEGINNING)
        return published.subject, published.seq

    async def _applied(self, published: Sequence[tuple[str, int]]) -> None:
        for stream, config in self._durables:
            wanted = [sequence for subject, sequence in published if subject in (config.filter_subjects or ())]
            if wanted:
                await self._reached(stream, config, max(wanted))

    async def _reached(self, stream: str, config: ConsumerConfig, last: int) -> None:
        name = config.durable_name or ""

        async def is_there() -> bool:
            info = await self.teller.jetstream.consumer_info(stream, name)
            return bool(info.delivered and info.delivered.stream_seq >= last and not info.num_ack_pending)

        await eventually(is_there, within=60, every=0.002, what=f"all events applied by {name}")

    async def _dead_letters(self) -> int:
        info = await self.teller.jetstream.stream_info(DEAD_LETTERS, subjects_filter=f"{DEAD_LETTER_PREFIX}.>")
        names = {config.durable_name for _, config in self._durables}
        return sum(count for subject, count in (info.state.subjects or {}).items() if subject.split(".")[1] in names)

    async def _clear(self, history: History) -> None:
        await asyncio.gather(*(self.objects.delete(key) for key in await self._keys(history)))
        async with self.admin() as connection:
            names = await self._tables(connection)
            # Without triggers: what may only grow starts anew, too.
            await connection.execute("set session_replication_role = replica")
            await connection.execute(f"truncate {', '.join((*names, 'inbox', 'outbox'))} cascade")

    async def _tables(self, connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
        rows = await connection.fetch(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
            # The installation's own model is no event's doing.
            " and not relispartition and relname not in ('alembic_version', 'vector_indexes')"
            " and relname !~ '^(inbox|outbox)' order by relname"
        )
        return [row["relname"] for row in rows]

    async def _state(self, history: History) -> State:
        async with self.admin() as connection:
            tables = {name: await self._rows(connection, name) for name in await self._tables(connection)}
            outbox = await connection.fetch("select type_name, payload, cause from outbox order by seq")
        emitted = [Emitted(decode(row["type_name"], row["payload"]), row["cause"]) for row in outbox]
        return State(self._visible(tables), await self._objects(history, tables), self.party.meaning(history, emitted))

    async def _rows(self, connection: asyncpg.Connection[asyncpg.Record], table: str) -> list[str]:
        query = self.party.instead.get(table, f"table {table}")
        return [row[0] for row in await connection.fetch(_AS_JSON.format(query))]

    def _visible(self, tables: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        shown: dict[str, list[str]] = {}
        for table, rows in tables.items():
            hidden = MADE_WHEN_APPLIED | self.party.hidden.get(table, frozenset())
            read = [json.loads(row) for row in rows]
            shown[table] = [
                json.dumps({key: row[key] for key in row if key not in hidden}, sort_keys=True) for row in read
            ]
        return shown

    async def _objects(self, history: History, tables: Mapping[str, Sequence[str]]) -> list[str]:
        """The objects of the history's organisations, and whether a row names them."""
        rows = "\n".join(row for table in tables.values() for row in table)
        return [f"{key} {'with' if key in rows else 'without'} a row" for key in await self._keys(history)]

    async def _keys(self, history: History) -> list[str]:
        """Every object under the organisations' prefixes."""
        prefixes = [f"{kind}/orgs/{org_id}/" for kind in ("voices", "generations") for org_id in history.orgs]
        found = await asyncio.gather(*(asyncio.to_thread(self._list, prefix) for prefix in prefixes))
        return [key for keys in found for key in keys]

    def _list(self, prefix: str) -> list[str]:
        bucket = self.servers.object_store_address.bucket
        return [item.object_name or "" for item in self._bucket.list_objects(bucket, prefix, recursive=True)]


@asynccontextmanager
async def running(servers: Servers, party: Party) -> AsyncIterator[Stage]:
    """Run all consumers of the group, which are told only of what comes from now on."""
    async with AsyncExitStack() as stack:
        teller = await connect(servers.nats("provisioner"), "test")
        stack.push_async_callback(teller.close)
        bus = await connect(servers.nats(party.user), "test")
        stack.push_async_callback(bus.close)
        database = servers.database(party.service, [UNSENT])
        stack.push_async_callback(database.close)
        objects = servers.object_store()
        stack.push_async_callback(objects.close)
        stage = Stage(servers, party, bus, teller, database, objects)
        await provision(teller.jetstream, [])
        for stream, config in durables([party.consumers]):
            # One that an earlier test left would first bring what others have told since.
            with suppress(NotFoundError):
                await teller.jetstream.delete_consumer(stream, config.durable_name or "")
            await teller.jetstream.add_consumer(stream, config.evolve(deliver_policy=DeliverPolicy.NEW))
        deps = await party.deps(stage)
        stack.push_async_callback(stage.closing.aclose)
        for stream, projections in projections_by_stream(party.consumers).items():
            durable = projection_durable(party.consumers.group)
            # Nobody waits for company: what comes together is drawn, not gathered.
            at_once = [replace(one, gather_seconds=0.0) for one in projections]
            runner = ProjectionRunner(bus, database, stream=stream, durable=durable, projections=at_once)
            stack.push_async_callback(_stopped, runner, asyncio.create_task(runner.run()))
        if party.consumers.works:
            works = WorkRunner(bus, database, party.consumers, deps)
            await works.start()
            stack.push_async_callback(works.stop, 5)
        yield stage


async def _stopped(runner: ProjectionRunner, task: asyncio.Task[None]) -> None:
    runner.stop()
    await asyncio.wait_for(task, 10)
