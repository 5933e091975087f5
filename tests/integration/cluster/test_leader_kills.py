"""The leader of a cluster dies again and again under load, and every event is applied once, in its order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from uuid import UUID

import nats.errors
import nats.js.errors
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Consumers, Delivery, RetryPolicy, inbox, projection, work
from libs.messaging.projections import ProjectionRunner
from libs.messaging.topology import projection_durable
from libs.messaging.works import WorkRunner
from tests.integration.cluster.brokers import Broker, Cluster
from tests.integration.cluster.conftest import Service, service_on
from tests.support.consumers import are_at_rest
from tests.support.polling import eventually
from tests.support.servers import Servers

STREAM = "EVT_VOICE"
SECONDS_BETWEEN = 10.0
EVENTS_PER_SECOND = 100
AGGREGATES = 10
# Acknowledgements are lost with a leader; what they were for is to come again while the test looks.
POLICY = RetryPolicy(ack_wait=3.0)
GROUP = "cluster"
DONE = f"{GROUP}-do"
LEADERS = (None, DONE, GROUP)
"""Whose leader dies: the stream's, then that of each durable, with acknowledgements that nobody else has seen."""


@projection(VoiceDeleted, policy=POLICY)
async def note(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
    """Write down each event."""
    for event in events:
        await session.execute(
            text("insert into applied (aggregate, number) values (:aggregate, :number)"),
            {"aggregate": event.voice_id, "number": int(event.object_keys[0])},
        )


@work(VoiceDeleted, concurrency=16, outstanding=256, policy=POLICY)
async def do(delivery: Delivery[VoiceDeleted], service: Service) -> None:
    """Write down each event, as a job that takes its time and is guarded by the inbox."""
    await asyncio.sleep(0.05)
    async with service.database.transaction() as session:
        if await inbox.is_new(session, DONE, delivery.event_id):
            await session.execute(
                text("insert into done (number) values (:number)"), {"number": int(delivery.event.object_keys[0])}
            )


CONSUMERS = Consumers(GROUP, projections=(note,), works=(do,))


async def emit_steadily(service: Service, aggregates: Sequence[str], org_id: UUID, stopping: asyncio.Event) -> int:
    """Emit events in the order of their numbers, at a constant rate; return how many."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in count():
        if stopping.is_set():
            return number
        async with service.database.transaction() as session:
            voice = aggregates[number % len(aggregates)]
            outbox.add(session, VoiceDeleted(voice_id=voice, org_id=str(org_id), object_keys=[str(number)]))
        await asyncio.sleep(max(0.0, began + number / EVENTS_PER_SECOND - loop.time()))
    raise AssertionError("unreachable")


async def leader_of(durable: str | None, service: Service, cluster: Cluster) -> Broker:
    """The server that leads a durable, or the stream itself."""

    async def look() -> str | None:
        jetstream = service.bus.jetstream
        try:
            if durable is None:
                information = (await jetstream.stream_info(STREAM)).cluster
            else:
                information = (await jetstream.consumer_info(STREAM, durable)).cluster
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error):
            return None
        return information.leader if information else None

    name = await eventually(look, within=20, what="a leader")
    assert name is not None
    return cluster.named(name)


async def kill_leaders(service: Service, cluster: Cluster) -> list[str]:
    """Kill whoever leads, every so often, and start it again; return who was killed."""
    killed: list[str] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number, durable in enumerate(LEADERS, start=1):
        await asyncio.sleep(max(0.0, began + number * SECONDS_BETWEEN - loop.time()))
        leader = await leader_of(durable, service, cluster)
        leader.kill()
        killed.append(leader.name)
        leader.start()
        # A majority must be there before the next one dies; that is what three servers promise.
        await cluster.healthy()
    return killed


@pytest.mark.timeout(180)
async def test_no_event_is_lost_or_applied_twice_when_the_leader_dies_every_ten_seconds(
    servers: Servers, cluster: Cluster
) -> None:
    async with service_on(servers, cluster, CONSUMERS) as service:
        await service.fetch("create table applied (position bigserial, aggregate text, number integer)")
        await service.fetch("create table done (number integer)")
        projections = ProjectionRunner(
            service.bus, service.database, stream=STREAM, durable=projection_durable(GROUP), projections=[note]
        )
        works = WorkRunner(service.bus, service.database, CONSUMERS, service)
        await works.start()
        running = [asyncio.create_task(part.run()) for part in (service.relay, projections)]
        stopping = asyncio.Event()
        aggregates = [str(new_id()) for _ in range(AGGREGATES)]
        emitting = asyncio.create_task(emit_steadily(service, aggregates, new_id(), stopping))
        killed = await kill_leaders(service, cluster)
        stopping.set()
        emitted = await emitting
        assert emitted > len(killed) * SECONDS_BETWEEN * EVENTS_PER_SECOND / 2, "too little load to mean something"

        async def arrived() -> tuple[int, int]:
            (row,) = await service.fetch(
                "select (select count(distinct number) from applied) as applied,"
                " (select count(distinct number) from done) as done"
            )
            return row["applied"], row["done"]

        async def all_arrived() -> bool:
            return await arrived() == (emitted, emitted)

        async def at_rest() -> bool:
            return await are_at_rest(service.bus.jetstream, [STREAM])

        try:
            await eventually(all_arrived, within=60, what=f"{emitted} events, after kills of {killed}")
        except AssertionError as error:
            raise AssertionError(f"{error}; (applied, done) are {await arrived()} of {emitted}") from None
        else:
            await eventually(at_rest, within=30, what="durables with nothing left to deliver")
        finally:
            service.relay.stop()
            projections.stop()
            await asyncio.wait_for(asyncio.gather(*running), 20)
            await works.stop(10)
        twice = await service.fetch(
            "select number from applied group by number having count(*) > 1"
            " union all select number from done group by number having count(*) > 1"
        )
        assert twice == []
        crossed = await service.fetch(
            "select 1 from (select stream_seq, max(stream_seq) over (partition by aggregate order by seq) as furthest"
            " from outbox_sent) as sent where stream_seq < furthest"
        )
        assert crossed == [], "events of one aggregate were published out of order"
        late = await service.fetch(
            "select 1 from (select number, max(number) over (partition by aggregate order by position) as newest"
            " from applied) as seen where number < newest"
        )
        assert late == [], "events of one aggregate were applied out of order"
        assert await service.fetch("select 1 from outbox") == []
