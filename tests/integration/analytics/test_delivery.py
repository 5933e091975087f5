"""The ledger as the broker feeds it: events that come twice, late, in any order and in large batches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationDeleted, GenerationFailed
from libs.contracts.registry import stream_of
from libs.ids import new_id
from libs.messaging import Bus, connect
from libs.messaging.projections import ProjectionRunner
from libs.messaging.provision import provision
from libs.messaging.topology import projection_durable, projections_by_stream
from services.analytics.consumers import CONSUMERS
from tests.integration.analytics.conftest import NOW, Books
from tests.support.broker import Broker
from tests.support.polling import eventually
from tests.support.servers import Servers

STREAM = stream_of("generation")
DURABLE = projection_durable(CONSUMERS.group)


@pytest.fixture
async def bus(servers: Servers) -> AsyncIterator[Bus]:
    connected = await connect(servers.nats("provisioner"), "test")
    await provision(connected.jetstream, [CONSUMERS])
    yield connected
    await connected.close()


@asynccontextmanager
async def consuming(bus: Bus, books: Books) -> AsyncIterator[None]:
    """Apply what the generation service tells."""
    runner = ProjectionRunner(
        bus, books.database, stream=STREAM, durable=DURABLE, projections=projections_by_stream(CONSUMERS)[STREAM]
    )
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        await asyncio.wait_for(task, 10)


async def test_events_in_any_order_and_number_add_up_to_what_was_spoken(bus: Bus, books: Books) -> None:
    broker = Broker(bus, CONSUMERS)
    spoken = [books.completed(characters=number + 1, seconds=0.1 * number) for number in range(60)]
    failed = [
        GenerationFailed(generation_id=str(new_id()), org_id=str(books.org_id), code="x", failed_at=NOW)
        for _ in range(20)
    ]
    deleted = [
        GenerationDeleted(generation_id=one.generation_id, org_id=str(books.org_id), deleted_at=datetime.now(UTC))
        for one in spoken[:30]
    ]
    known = [(event, new_id()) for event in (*spoken, *failed, *deleted)]
    # Each of them twice as it was sent, and the first ones once more as if they were other events.
    told = [*known, *known, *((event, new_id()) for event in spoken[:10])]
    random.shuffle(told)
    for event, event_id in told:
        await broker.publish(event, event_id=event_id)
    async with consuming(bus, books):

        async def applied() -> bool:
            return await broker.is_idle(STREAM, DURABLE)

        await eventually(applied, within=30)
    characters = sum(event.characters for event in spoken)
    ledger = "select sum(quantity) from usage_metrics where org_id = :org and unit = "
    assert await books.value(ledger + "'characters'") == characters
    assert await books.value("select sum(characters) from usage_daily where org_id = :org") == characters
    assert await books.value("select sum(generations) from usage_daily where org_id = :org") == 60
    totals = "select sum(quantity) from usage_totals where org_id = :org and unit = 'audio_seconds'"
    assert await books.value(totals) == await books.value(ledger + "'audio_seconds'")
    recorded = "select count(*) from outbox where org_id = :org"
    assert await books.value(recorded) == 120
    settled = "select count(*) from reservations where org_id = :org and status = "
    assert await books.value(settled + "'settled'") == 60
    assert await books.value(settled + "'released'") == 20
    causes = "select count(distinct cause) from outbox where org_id = :org"
    assert await books.value(causes) == 60
