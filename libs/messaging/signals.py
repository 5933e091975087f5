"""Signals: fire-and-forget hints between processes that something is there to be looked at.

A signal can be lost, as when the broker is away; whoever waits for one also looks now and then without.
"""

from __future__ import annotations

from collections.abc import Callable

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.messaging.connection import Bus

_PREFIX = "signal"
_NO_DETAIL = "-"


def signal_subject(topic: str, detail: str = _NO_DETAIL) -> str:
    """Return the subject of a topic's signal; `detail` is an id, so that hearers know whether it concerns them."""
    return f"{_PREFIX}.{topic}.{detail}"


async def signal(bus: Bus, topic: str, detail: str = _NO_DETAIL) -> None:
    """Send a signal; of many within a moment for the same detail the first and the last are sent."""
    await bus.wake(signal_subject(topic, detail))


def signal_later(bus: Bus, topic: str, seconds: float) -> None:
    """Send a topic's signal after a while, unless the process ends before that."""
    bus.wake_later(signal_subject(topic), seconds)


async def heed(bus: Bus, topic: str, hear: Callable[[str], None]) -> Subscription:
    """Call `hear` with the detail of every signal of a topic, until the subscription ends."""

    async def take(message: Msg) -> None:
        hear(message.subject.rpartition(".")[2])

    return await bus.client.subscribe(signal_subject(topic, "*"), cb=take)
