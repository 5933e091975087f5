"""Keeps a process's own streams and durables in being, and measures them.

Provisioning makes them; but a broker can lose its disk while the system runs. Then every process makes
anew what is its own, exactly as declared, and the relays publish again what the streams have lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, ConsumerInfo, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError
from opentelemetry import metrics

from libs.messaging.connection import Bus
from libs.messaging.declarations import Consumers
from libs.messaging.topology import DEAD_LETTER_PREFIX, DEAD_LETTERS, durables, streams

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How often streams and durables are looked at."""
MISSING_SECONDS = 0.5
"""How often, while something is missing or the broker does not answer."""

_meter = metrics.get_meter("antiphon.messaging")
_pending = _meter.create_gauge(
    "antiphon.consumer.pending", description="Events in the stream that a durable has not been given yet"
)
_ack_pending = _meter.create_gauge(
    "antiphon.consumer.ack_pending", description="Deliveries that are neither acknowledged nor given up"
)
_redelivered = _meter.create_gauge(
    "antiphon.consumer.redelivered", description="Deliveries under way for the second or a later time"
)
_dead_letters = _meter.create_gauge("antiphon.dead_letters.depth", description="Dead letters of a durable")


async def ensure_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> StreamInfo:
    """Return the stream's state; create it as declared when the broker does not know it."""
    name = wanted.name or ""
    try:
        return await jetstream.stream_info(name)
    except NotFoundError:
        logger.warning("a stream is missing and is created anew", extra={"stream": name})
        return await jetstream.add_stream(wanted)


async def ensure_durable(jetstream: JetStreamContext, stream: str, wanted: ConsumerConfig) -> ConsumerInfo:
    """Return the durable's state; create it as declared when the broker does not know it.

    A new durable begins with the first event of its stream; the inbox knows those that were applied.
    """
    name = wanted.durable_name or ""
    info: ConsumerInfo
    try:
        info = await jetstream.consumer_info(stream, name)
    except NotFoundError:
        info = await jetstream.add_consumer(stream, wanted)
        logger.warning("a durable was missing and is created anew", extra={"stream": stream, "durable": name})
    return info


class Upkeep:
    """Looks after the durables of one process group and their dead letters."""

    def __init__(self, bus: Bus, consumers: Consumers, *, replicas: int) -> None:
        """`replicas` is how many servers of a cluster hold each stream."""
        self._bus = bus
        self._durables = durables([consumers])
        (self._dead_letter_stream,) = (stream for stream in streams(replicas) if stream.name == DEAD_LETTERS)
        self._stirred = asyncio.Event()
        bus.on_reconnect(self._stirred.set)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            complete = await self.look()
            self._stirred.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS if complete else MISSING_SECONDS):
                    await self._stirred.wait()

    async def look(self) -> bool:
        """Create what is missing and measure the rest; say whether everything is there."""
        if not self._bus.is_connected:
            return False
        try:
            await ensure_stream(self._bus.jetstream, self._dead_letter_stream)
            for stream, wanted in self._durables:
                _measure(await ensure_durable(self._bus.jetstream, stream, wanted))
            await self._measure_dead_letters([wanted.durable_name or "" for _, wanted in self._durables])
        except NotFoundError:
            # The durable's stream: its emitting service makes it.
            return False
        except (OSError, TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            logger.warning("durables could not be looked at", extra={"error": type(error).__name__})
            return False
        return True

    async def _measure_dead_letters(self, names: Sequence[str]) -> None:
        info = await self._bus.jetstream.stream_info(DEAD_LETTERS, subjects_filter=f"{DEAD_LETTER_PREFIX}.>")
        depths = dict.fromkeys(names, 0)
        for subject, count in (info.state.subjects or {}).items():
            durable = subject.split(".")[1]
            if durable in depths:
                depths[durable] += count
        for durable, depth in depths.items():
            _dead_letters.set(depth, {"messaging.consumer.group.name": durable})


def _measure(info: ConsumerInfo) -> None:
    attributes = {"messaging.consumer.group.name": info.name, "messaging.destination.name": info.stream_name}
    _pending.set(info.num_pending or 0, attributes)
    _ack_pending.set(info.num_ack_pending or 0, attributes)
    _redelivered.set(info.num_redelivered or 0, attributes)
