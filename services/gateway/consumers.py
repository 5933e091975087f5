"""What the gateway hears on the broker."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs.messaging import Consumers, Follows, Heeds, Signals, projection
from services.gateway.adapters.event_feed import FOLLOWED
from services.gateway.domain import signals
from services.gateway.domain.public_events import FORMS
from services.gateway.usecases import webhooks


async def queue_deliveries(session: AsyncSession, events: Sequence[Message]) -> None:
    """Webhooks that want it are told."""
    await webhooks.queue_deliveries(session, events)


CONSUMERS = Consumers(
    "gateway",
    projections=tuple(projection(message)(queue_deliveries) for message in FORMS),
    talks=(
        *(Follows(event) for event in FOLLOWED),
        *(Signals(topic) for topic in (signals.KEYS, signals.WEBHOOKS)),
        *(Heeds(topic) for topic in (signals.KEYS, signals.WEBHOOKS)),
    ),
)
