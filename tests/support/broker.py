"""The broker as other services use it, in tests of one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from libs.contracts.registry import event_type
from libs.ids import SYSTEM_ORG, new_id, parse_id
from libs.messaging import Bus, Consumers, connect
from libs.messaging.envelope import Attributes
from libs.messaging.provision import provision
from libs.messaging.topology import durables
from tests.support.polling import eventually
from tests.support.servers import Servers


@dataclass(frozen=True)
class Published:
    """An event that the broker has."""

    event_id: UUID
    subject: str
    seq: int


async def publish(
    bus: Bus,
    event: Any,  # an event of any kind
    *,
    event_id: UUID | None = None,
    at: datetime | None = None,
    headers: Mapping[str, str] | None = None,
) -> Published:
    """Publish as the relays do, under an id that may be known already: the broker itself drops nothing."""
    declared = event_type(event)
    known = event_id or new_id()
    attributes = Attributes(
        event_id=known,
        type_name=declared.name,
        source=f"antiphon/{declared.service}",
        aggregate=declared.aggregate_of(event),
        org_id=parse_id(getattr(event, "org_id", "")) or SYSTEM_ORG,
        time=at or datetime.now(UTC),
    )
    sent = attributes.headers() | {"Nats-Msg-Id": str(new_id())} | dict(headers or {})
    acknowledgement = await bus.jetstream.publish(declared.subject, event.SerializeToString(), headers=sent)
    return Published(known, declared.subject, acknowledgement.seq)


@dataclass(frozen=True)
class Broker:
    """Delivers events to the consumers of a service as the relays of other services would."""

    bus: Bus
    consumers: Consumers

    async def publish(self, event: Any, *, event_id: UUID | None = None) -> UUID:
        """Publish an event, under an id that may be known already; returns the id."""
        return (await publish(self.bus, event, event_id=event_id)).event_id

    async def is_idle(self, stream: str, durable: str) -> bool:
        """Whether a durable has nothing to deliver and everything acknowledged."""
        info = await self.bus.jetstream.consumer_info(stream, durable)
        return not info.num_pending and not info.num_ack_pending

    async def settled(self) -> None:
        """Wait until the service has answered everything that was published."""

        async def is_settled() -> bool:
            names = [(stream, durable.durable_name or "") for stream, durable in durables([self.consumers])]
            return all([await self.is_idle(stream, name) for stream, name in names])

        await eventually(is_settled, within=60, what="the end of all work")


@asynccontextmanager
async def provisioned(servers: Servers, consumers: Consumers) -> AsyncIterator[Broker]:
    """Yield the broker with what a service's consumers need."""
    bus = await connect(servers.nats("provisioner"), "test")
    await provision(bus.jetstream, [consumers])
    yield Broker(bus, consumers)
    await bus.close()
