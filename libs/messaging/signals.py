"""Signals: fire-and-forget hints between processes that something is there to be looked at.

A signal can be lost, as when the broker is away; whoever waits for one also looks now and then without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.messaging.connection import Bus

_PREFIX = "signal"
_NO_DETAIL = "-"


def signal_subject(topic: str, detail: str = _NO_DETAIL) -> str:
    """Return the subject of a topic's signal; `detail` is an id, so that hearers know whether it concerns them."""
    return f"{_PREFIX}.{topic}.{detail}"


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as it is heard; most have no content."""

    detail: str
    content: bytes


async def signal(bus: Bus, topic: str, detail: str = _NO_DETAIL, content: bytes = b"") -> None:
    """Send a signal; of many within a moment for the same detail the first and the last are sent.

    `content` spares hearers a look. Each signal with some is sent, unless it is larger than the broker takes; it is
    lost as easily as any other.
    """
    if not content:
        await bus.wake(signal_subject(topic, detail))
    elif bus.is_connected and len(content) <= bus.client.max_payload:
        await bus.client.publish(signal_subject(topic, detail), content)


def signal_later(bus: Bus, topic: str, seconds: float) -> None:
    """Send a topic's signal after a while, unless the process ends before that."""
    bus.wake_later(signal_subject(topic), seconds)


async def heed(bus: Bus, topic: str, hear: Callable[[Signal], None], *, among: str = "") -> Subscription:
    """Call `hear` with every signal of a topic, until the subscription ends; of those `among` a group one hears it."""

    async def take(message: Msg) -> None:
        hear(Signal(message.subject.rpartition(".")[2], message.data))

    return await bus.client.subscribe(signal_subject(topic, "*"), queue=among, cb=take)
