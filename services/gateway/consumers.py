"""What the gateway hears on the broker."""

from __future__ import annotations

from libs.messaging import Consumers, Follows
from services.gateway.adapters.event_feed import FOLLOWED

CONSUMERS = Consumers("gateway", talks=tuple(Follows(event) for event in FOLLOWED))
