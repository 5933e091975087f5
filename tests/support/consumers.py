"""Whether the broker's durable consumers have anything left to do."""

from __future__ import annotations

from collections.abc import Iterable

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext


async def are_at_rest(jetstream: JetStreamContext, streams: Iterable[str]) -> bool:
    """Say whether every event has been delivered to every durable of these streams, and every delivery acknowledged.

    A lost acknowledgement shows here until its event was delivered again: what is applied twice is applied by then.
    """
    try:
        found = [one for stream in streams for one in await jetstream.consumers_info(stream)]
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error):
        return False
    # Others than durables come and go with whoever reads.
    return not any(one.num_pending or one.num_ack_pending for one in found if one.config.durable_name)
