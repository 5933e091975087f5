"""What becomes of a message: acknowledged, delivered later again, or a dead letter."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from libs.messaging.connection import Bus
from libs.messaging.policy import RetryPolicy, Verdict, judge
from libs.messaging.topology import DEAD_LETTER_PREFIX
from libs.messaging.tracing import record_outcome

logger = logging.getLogger(__name__)

MOST_EXCUSED = 10_000
"""Of how many messages it is remembered that outages were to blame, here and not for good."""
UNAVAILABLE_DELAY_MAX = 15.0
"""Seconds: how long an outage of something that we need may delay the first try after it."""


def tries_of(message: Msg) -> int:
    """Return how often the broker has delivered this message, this time included."""
    return message.metadata.num_delivered


@asynccontextmanager
async def heartbeat(messages: Sequence[Msg], ack_wait: float) -> AsyncIterator[None]:
    """Tell the broker that work on `messages` goes on, so that it does not deliver them again."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(ack_wait / 3)
            for message in messages:
                # A lost connection is mended elsewhere; the inbox makes a redelivery harmless.
                with suppress(nats.errors.Error):
                    await message.in_progress()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()


async def acknowledge(bus: Bus, messages: Sequence[Msg]) -> None:
    """Acknowledge; a lost acknowledgement leads to a redelivery, which the inbox suppresses."""
    with suppress(nats.errors.Error):
        await bus.client.acknowledge([message.reply for message in messages])


async def retry_later(message: Msg, delay: float) -> None:
    """Ask the broker to deliver `message` again after `delay` seconds."""
    with suppress(nats.errors.Error):
        await message.nak(delay=delay)


async def give_back(message: Msg) -> None:
    """Let the broker deliver `message` to somebody else now: nothing was tried, so nothing is waited for."""
    with suppress(nats.errors.Error):
        await message.nak()


class DeadLetterOffice:
    """Decides what happens to a failed delivery, and keeps what cannot be delivered."""

    def __init__(self, jetstream: JetStreamContext, consumer: str, policy: RetryPolicy) -> None:
        """`consumer` is the durable whose messages are judged here."""
        self._jetstream = jetstream
        self._consumer = consumer
        self._policy = policy
        self._outages: OrderedDict[int, int] = OrderedDict()

    def is_last_try(self, message: Msg, error: BaseException) -> bool:
        """Say whether this failure makes `message` a dead letter."""
        verdict = judge(error)
        if verdict is Verdict.PERMANENT:
            return True
        return verdict is Verdict.TRANSIENT and self._policy.is_exhausted(self._blamed_tries(message))

    def _blamed_tries(self, message: Msg) -> int:
        """Return how often it was tried, without the tries of outages: what was away says nothing about the event."""
        return tries_of(message) - self._outages.get(message.metadata.sequence.stream, 0)

    def _excuse(self, message: Msg) -> None:
        sequence = message.metadata.sequence.stream
        self._outages[sequence] = self._outages.pop(sequence, 0) + 1
        if len(self._outages) > MOST_EXCUSED:
            self._outages.popitem(last=False)

    async def fail(self, message: Msg, error: BaseException) -> None:
        """Retry later, or write a dead letter and end the delivery."""
        tries = tries_of(message)
        fields = {
            "consumer": self._consumer,
            "event_id": (message.headers or {}).get("ce-id"),
            "event_type": (message.headers or {}).get("ce-type"),
            "tries": tries,
            "error": type(error).__name__,
        }
        if self.is_last_try(message, error):
            await self._bury(message, error)
            record_outcome(self._consumer, "dead")
            logger.error("event became a dead letter", extra=fields, exc_info=error)
            return
        verdict = judge(error)
        delay = self._policy.delay(tries)
        if verdict is Verdict.UNAVAILABLE:
            self._excuse(message)
            delay = min(delay, UNAVAILABLE_DELAY_MAX)
        await retry_later(message, delay)
        record_outcome(self._consumer, "unavailable" if verdict is Verdict.UNAVAILABLE else "retried")
        logger.warning("event will be tried again", extra={**fields, "delay": round(delay, 2)}, exc_info=error)

    async def _bury(self, message: Msg, error: BaseException) -> None:
        metadata = message.metadata
        kept = {key: value for key, value in (message.headers or {}).items() if not key.startswith("Nats-")}
        await self._jetstream.publish(
            f"{DEAD_LETTER_PREFIX}.{self._consumer}.{message.subject}",
            message.data,
            headers={
                **kept,
                # Burying the same delivery twice leaves one dead letter.
                "Nats-Msg-Id": f"{DEAD_LETTER_PREFIX}:{metadata.stream}:{metadata.sequence.stream}:{self._consumer}",
                "dlq-consumer": self._consumer,
                "dlq-stream": metadata.stream,
                "dlq-sequence": str(metadata.sequence.stream),
                "dlq-tries": str(metadata.num_delivered),
                "dlq-error": _one_line(f"{type(error).__name__}: {error}"),
                "dlq-traceback": _one_line("".join(traceback.format_exception(error))[-2000:]),
            },
        )
        # Only after the dead letter is safe may the broker forget the delivery.
        with suppress(nats.errors.Error):
            await message.term()


def _one_line(text: str) -> str:
    """Header values end at a line break."""
    return text.encode("ascii", "backslashreplace").decode().replace("\r", "").replace("\n", " | ")[:2000]
