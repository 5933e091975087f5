"""What the gateway hears on the broker."""

from __future__ import annotations

from libs.messaging import Consumers, Follows, Heeds, Signals
from services.gateway.adapters.event_feed import FOLLOWED
from services.gateway.domain import signals

CONSUMERS = Consumers(
    "gateway",
    talks=(*(Follows(event) for event in FOLLOWED), Signals(signals.KEYS), Heeds(signals.KEYS)),
)
