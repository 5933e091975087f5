"""How fast a projection applies a full stream, and how soon it applies a single event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import nats
from nats.js.api import DeliverPolicy
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.database import Database, Driver
from libs.ids import new_id
from libs.messaging import Consumers, projection
from libs.messaging.projections import ProjectionRunner
from libs.messaging.topology import BATCH_EVENTS, durables, projection_durable
from tests.bench.backbone.events import empty, fill_outbox, until
from tests.bench.harness import Row, percentile, row
from tests.support.scratch import STREAM, Scratch

EVENTS, SIZE, ROUNDS = 30_000, 1024, 3
PACED_RATE, PACED_SECONDS = 100, 10.0
_APPLIED = "bench.applied"
_INSERT = text("insert into applied (aggregate, name) select unnest(:aggregates), unnest(:names)").bindparams(
    bindparam("aggregates", type_=ARRAY(TEXT)), bindparam("names", type_=ARRAY(TEXT))
)


@projection(VoiceDeleted)
async def keep(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
    """Write a row for each event, in one statement."""
    await session.execute(
        _INSERT, {"aggregates": [one.voice_id for one in events], "names": [one.object_keys[0] for one in events]}
    )
    session.info[_APPLIED] = [one.voice_id for one in events]


class Commits:
    """Notes when the transaction that applied an event was durable."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    async def before_commit(self, _session: AsyncSession, _driver: Driver) -> None:
        """Nothing is durable yet."""

    async def after_commit(self, session: AsyncSession) -> None:
        """Note the time for everything that was applied."""
        now = time.perf_counter()
        for key in session.info.pop(_APPLIED, ()):
            self.at[key] = now


@asynccontextmanager
async def _projecting(scratch: Scratch, commits: Commits, start: DeliverPolicy) -> AsyncIterator[None]:
    group = f"bench_{uuid4().hex[:10]}"
    consumers = Consumers(group, projections=(keep,))
    ((stream, config),) = durables([consumers])
    await scratch.bus.jetstream.add_consumer(stream, config.evolve(deliver_policy=start))
    database = Database(scratch.url, scratch.password, application="bench", hooks=[commits])
    runner = ProjectionRunner(
        scratch.bus, database, stream=STREAM, durable=projection_durable(group), projections=consumers.projections
    )
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        await asyncio.wait_for(task, 10)
        await database.close()
        await scratch.bus.jetstream.delete_consumer(stream, projection_durable(group))


async def measure_speed(scratch: Scratch) -> list[Row]:
    """Apply a full stream in turns with bare inserts of the same rows."""
    await scratch.bus.jetstream.purge_stream(STREAM)
    await empty(scratch, "outbox", "outbox_sent", "applied")
    await fill_outbox(scratch, EVENTS, SIZE)
    async with scratch.relaying():
        await until(scratch, "not exists (select from outbox)")
    rows = await scratch.fetch("select payload from outbox_sent order by seq")
    values = [(event.voice_id, event.object_keys[0]) for event in (VoiceDeleted.FromString(r["payload"]) for r in rows)]
    inserted, consumed, applied = [], [], []
    for _ in range(ROUNDS):
        await empty(scratch, "applied")
        inserted.append(EVENTS / await _bare_inserts(scratch, values))
        await empty(scratch, "applied")
        consumed.append(EVENTS / await _bare_consumer(scratch))
        await empty(scratch, "applied", "inbox")
        applied.append(EVENTS / await _apply_all(scratch))
    return [
        row("projection with inbox, 1 KB events", applied, "events/s", at_least=8_000),
        row("the same against a bare consumer that inserts", applied, "events/s", baseline=consumed, at_least=0.5),
        row("the same against inserts alone, without a broker", applied, "events/s", baseline=inserted, at_least=0.5),
    ]


async def _bare_inserts(scratch: Scratch, values: Sequence[tuple[str, str]]) -> float:
    """Insert the same rows in batches of the projection's size, a transaction each, by asyncpg's `executemany`.

    No broker, no inbox, no decoding: only rows that are there already.
    """
    connection = await scratch.connect()
    begun = time.perf_counter()
    for start in range(0, len(values), BATCH_EVENTS):
        async with connection.transaction():
            await connection.executemany(
                "insert into applied (aggregate, name) values ($1, $2)", values[start : start + BATCH_EVENTS]
            )
    took = time.perf_counter() - begun
    await connection.close()
    return took


async def _bare_consumer(scratch: Scratch) -> float:
    """Fetch the events by plain nats-py, decode, insert by `executemany`, acknowledge: no inbox and no second try."""
    address = scratch.servers.nats("provisioner")
    client = await nats.connect(address.url, user=address.user, password=address.password)
    durable = f"bare_{uuid4().hex[:10]}"
    subscription = await client.jetstream().pull_subscribe("evt.voice.>", durable, stream=STREAM)
    connection = await scratch.connect()
    begun, done = time.perf_counter(), 0
    while done < EVENTS:
        messages = await subscription.fetch(min(BATCH_EVENTS, EVENTS - done), timeout=10)
        events = [VoiceDeleted.FromString(message.data) for message in messages]
        async with connection.transaction():
            await connection.executemany(
                "insert into applied (aggregate, name) values ($1, $2)",
                [(event.voice_id, event.object_keys[0]) for event in events],
            )
        for message in messages:
            await message.ack()
        done += len(messages)
    took = time.perf_counter() - begun
    await connection.close()
    await client.jetstream().delete_consumer(STREAM, durable)
    await client.close()
    return took


async def _apply_all(scratch: Scratch) -> float:
    connection = await scratch.connect()
    begun = time.perf_counter()
    async with _projecting(scratch, Commits(), DeliverPolicy.ALL):
        # The sequence counts rows without reading them.
        before = await connection.fetchval("select last_value from applied_position_seq")
        await until(scratch, "(select last_value from applied_position_seq) >= $1", before + EVENTS)
        took = time.perf_counter() - begun
    assert await connection.fetchval("select count(*) from applied") == EVENTS
    await connection.close()
    return took


async def measure_latency(scratch: Scratch) -> list[Row]:
    """Commit single events at a steady rate and see when each is applied."""
    await empty(scratch, "outbox", "outbox_sent", "applied", "inbox")
    medians, tails = [], []
    commits = Commits()
    async with scratch.relaying(), _projecting(scratch, commits, DeliverPolicy.NEW):
        for _ in range(ROUNDS):
            latencies = await _paced(scratch, commits)
            medians.append(1000 * percentile(latencies, 0.5))
            tails.append(1000 * percentile(latencies, 0.99))
    return [
        row(f"commit to applied at {PACED_RATE} events/s: p50", medians, "ms", at_most=10),
        row("the same: p99", tails, "ms", at_most=50),
    ]


async def _paced(scratch: Scratch, commits: Commits) -> list[float]:
    written: dict[str, float] = {}
    org = new_id()
    begun = time.perf_counter()
    for number in range(int(PACED_RATE * PACED_SECONDS)):
        await asyncio.sleep(max(0.0, begun + number / PACED_RATE - time.perf_counter()))
        voice = str(new_id())
        async with scratch.database.transaction(org) as session:
            outbox.add(session, VoiceDeleted(voice_id=voice, org_id=str(org), object_keys=["x" * 900]))
        written[voice] = time.perf_counter()
    async with asyncio.timeout(30):
        while not written.keys() <= commits.at.keys():  # noqa: ASYNC110 - nothing that could be waited for
            await asyncio.sleep(0.01)
    return [max(0.0, commits.at[voice] - at) for voice, at in written.items()]
