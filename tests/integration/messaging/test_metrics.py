"""What operators see of the backbone: depth, age, lag, pending, redeliveries, outcomes, dead letters, duplicates."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Consumers, Permanent, projection
from libs.messaging.topology import projection_durable
from libs.messaging.upkeep import Upkeep
from tests.integration.messaging.emitting import deleted, emit, running_projection
from tests.support.polling import eventually
from tests.support.scratch import SERVICE, Scratch

Provisioned = Callable[[Consumers], Awaitable[None]]
CONSUMER = "messaging.consumer.group.name"


class Measured:
    """The figures that a process would export now."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def get(self, name: str, **wanted: str) -> float | None:
        """The value of the one point of `name` that has these attributes; of a histogram, its count."""
        data = self._reader.get_metrics_data()
        attributes = {key.replace("__", "."): value for key, value in wanted.items()}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points if metric.name == name else ():
                        if attributes.items() <= dict(point.attributes or {}).items():
                            return float(getattr(point, "value", getattr(point, "count", 0)))
        return None


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    metrics.set_meter_provider(provider)
    yield Measured(reader)
    provider.shutdown()


async def test_the_backbone_is_measured(
    measured: Measured, scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    @projection(VoiceDeleted)
    async def refuse_some(_session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
        if any(event.object_keys[0] == "bad" for event in events):
            raise Permanent("bad")

    consumers = Consumers(group, projections=(refuse_some,))
    await provisioned(consumers)
    upkeep = Upkeep(scratch.bus, consumers, replicas=1)
    durable = {CONSUMER: projection_durable(group)}
    await emit(scratch, *(deleted(str(new_id()), new_id(), "good") for _ in range(5)))
    await emit(scratch, deleted(str(new_id()), new_id(), "bad"))
    async with scratch.relaying():

        async def all_waiting() -> bool:
            # The relay measures after it has published.
            told = measured.get("antiphon.outbox.lag", **{"antiphon.service": SERVICE})
            return bool(told and await upkeep.look() and measured.get("antiphon.consumer.pending", **durable) == 6)

        await eventually(all_waiting, what="six events that wait for their consumer")
        assert (measured.get("antiphon.outbox.depth", **{"antiphon.service": SERVICE}) or 0) >= 0
        assert (measured.get("antiphon.outbox.age", **{"antiphon.service": SERVICE}) or 0) >= 0
        assert (measured.get("antiphon.outbox.lag", **{"antiphon.service": SERVICE}) or 0) >= 1
        assert (measured.get("antiphon.outbox.published", **{"antiphon.service": SERVICE}) or 0) >= 6
        async with running_projection(scratch, consumers):

            async def buried() -> bool:
                return await upkeep.look() and measured.get("antiphon.dead_letters.depth", **durable) == 1

            await eventually(buried, what="one dead letter")
            (sent,) = await scratch.fetch("select subject, payload, event_id, type_name from outbox_sent limit 1")
            await scratch.bus.jetstream.publish(
                sent["subject"],
                sent["payload"],
                headers={"ce-id": str(sent["event_id"]), "ce-type": sent["type_name"]},
            )

            async def suppressed() -> bool:
                return measured.get("antiphon.messaging.outcomes", outcome="duplicate", **durable) == 1

            await eventually(suppressed, what="a duplicate that was suppressed")

            async def acknowledged() -> bool:
                return await upkeep.look() and measured.get("antiphon.consumer.ack_pending", **durable) == 0

            await eventually(acknowledged, what="everything acknowledged")
    assert measured.get("antiphon.messaging.outcomes", outcome="applied", **durable) == 5
    assert measured.get("antiphon.messaging.outcomes", outcome="dead", **durable) == 1
    assert (measured.get("messaging.process.duration", outcome="applied", **durable) or 0) >= 1
    assert measured.get("antiphon.consumer.redelivered", **durable) is not None
