"""Looking at dead letters, sending them again and dropping them, one after the other however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import nats.errors
from google.protobuf.json_format import MessageToDict
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from libs.contracts.registry import UndecodableEvent, UnknownEvent, decode, stream_of
from libs.messaging.connection import PUBLISH_TIMEOUT, Bus
from libs.messaging.envelope import CONSUMER_HEADER
from libs.messaging.topology import DEAD_LETTER_PREFIX, DEAD_LETTERS

_PAGE = 200
_QUIET_SECONDS = 2.0
_FORGET_READER_SECONDS = 60.0
_ROUNDING = timedelta(milliseconds=1)
_OWN_HEADERS = ("dlq-", "nats-")


class ConsumerGone(LookupError):
    """The durable that could not apply an event exists no more: nobody would take it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a consumer could not apply: original bytes and headers, and what happened, as `dlq-…` headers."""

    seq: int
    time: datetime
    subject: str
    headers: Mapping[str, str]
    payload: bytes

    @property
    def consumer(self) -> str:
        """The durable that could not apply the event."""
        return self.headers.get("dlq-consumer") or self.subject.split(".")[1]

    @property
    def event_type(self) -> str:
        """The event's full type name, empty when it carries none."""
        return self.headers.get("ce-type", "")

    @property
    def event_id(self) -> str:
        """The event's id, empty when it carries none."""
        return self.headers.get("ce-id", "")

    @property
    def tries(self) -> int:
        """How often it was delivered before it was given up."""
        return int(self.headers.get("dlq-tries", "0"))

    @property
    def error(self) -> str:
        """What the last try failed with, in one line."""
        return self.headers.get("dlq-error", "")

    @property
    def trace_id(self) -> str:
        """The id of the trace that the event belongs to, empty when it carries none."""
        parts = self.headers.get("traceparent", "").split("-")
        return parts[1] if len(parts) == 4 else ""

    @property
    def original_subject(self) -> str:
        """The subject under which the event was published first."""
        return self.subject.removeprefix(f"{DEAD_LETTER_PREFIX}.{self.consumer}.")

    def summary(self) -> dict[str, object]:
        """Return what a list shows."""
        return {
            "id": self.seq,
            "time": self.time.isoformat(),
            "consumer": self.consumer,
            "type": self.event_type,
            "event_id": self.event_id,
            "tries": self.tries,
            "error": self.error,
        }

    def details(self) -> dict[str, object]:
        """Return everything; the event as JSON, or as hex when it cannot be decoded."""
        try:
            event: object = MessageToDict(decode(self.event_type, self.payload), preserving_proto_field_name=True)
        except (UnknownEvent, UndecodableEvent):
            event = self.payload.hex()
        return self.summary() | {
            "subject": self.original_subject,
            "trace_id": self.trace_id,
            "headers": dict(self.headers),
            "traceback": self.headers.get("dlq-traceback", "").split(" | "),
            "event": event,
        }

    def resent_headers(self) -> dict[str, str]:
        """Return the headers under which the event is sent again, to its consumer alone.

        The message id is the dead letter's own, so that the broker drops what is sent again twice in short order.
        """
        kept = {name: value for name, value in self.headers.items() if not name.lower().startswith(_OWN_HEADERS)}
        return kept | {
            CONSUMER_HEADER: self.consumer,
            "Nats-Msg-Id": f"{DEAD_LETTER_PREFIX}-replay:{self.seq}:{self.event_id}",
        }


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are meant. `event_type` is a full name or its last part; `limit` counts matches."""

    consumer: str | None = None
    event_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Say whether `letter` is meant, the limit aside."""
        if self.consumer is not None and letter.consumer != self.consumer:
            return False
        if self.event_type is not None and self.event_type not in (
            letter.event_type,
            letter.event_type.rpartition(".")[2],
        ):
            return False
        if self.since is not None and letter.time < self.since:
            return False
        return self.until is None or letter.time < self.until


async def find(bus: Bus, wanted: Filter) -> AsyncIterator[DeadLetter]:
    """Yield the dead letters that `wanted` names, oldest first; those buried after the call began are left out."""
    last = (await bus.jetstream.stream_info(DEAD_LETTERS)).state.last_seq
    found = 0
    async for letter in _read(bus, wanted, last):
        if wanted.limit is not None and found >= wanted.limit:
            return
        if wanted.matches(letter):
            found += 1
            yield letter


async def _read(bus: Bus, wanted: Filter, last: int) -> AsyncIterator[DeadLetter]:
    subject = f"{DEAD_LETTER_PREFIX}.{wanted.consumer or '*'}.>"
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_TIME if wanted.since else DeliverPolicy.ALL,
        # The broker counts nanoseconds, we microseconds: it may begin a little early, the filter is exact.
        opt_start_time=wanted.since - _ROUNDING if wanted.since else None,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=_FORGET_READER_SECONDS,
        mem_storage=True,
    )
    reader = await bus.jetstream.pull_subscribe(subject, stream=DEAD_LETTERS, config=config)
    try:
        while (await reader.consumer_info()).num_pending:
            try:
                messages = await reader.fetch(_PAGE, timeout=_QUIET_SECONDS)
            except nats.errors.TimeoutError:
                continue
            for message in messages:
                letter = _letter(message)
                if letter.seq > last:
                    return
                yield letter
    finally:
        await reader.unsubscribe()


def _letter(message: Msg) -> DeadLetter:
    metadata = message.metadata
    return DeadLetter(
        metadata.sequence.stream, metadata.timestamp, message.subject, message.headers or {}, message.data
    )


async def get(bus: Bus, seq: int) -> DeadLetter | None:
    """Return the dead letter with this id; None when there is none."""
    try:
        raw = await bus.jetstream.get_msg(DEAD_LETTERS, seq=seq)
    except NotFoundError:
        return None
    if raw.time is None:
        raise ValueError(f"the broker does not say when dead letter {seq} was written")
    return DeadLetter(seq, raw.time, raw.subject or "", raw.headers or {}, raw.data or b"")


async def replay(bus: Bus, letter: DeadLetter) -> None:
    """Send the event again to the consumer that could not apply it, then forget the dead letter.

    Safe to repeat: between the two it is sent twice at worst, and the consumer's inbox suppresses the second.
    Raises ConsumerGone, and keeps the dead letter, when nobody would take the event.
    """
    stream = stream_of(letter.original_subject.split(".")[1])
    try:
        await bus.jetstream.consumer_info(stream, letter.consumer)
    except NotFoundError:
        raise ConsumerGone(f"{stream} has no consumer {letter.consumer}") from None
    await bus.jetstream.publish(
        letter.original_subject, letter.payload, timeout=PUBLISH_TIMEOUT, headers=letter.resent_headers()
    )
    await drop(bus, letter.seq)


async def drop(bus: Bus, seq: int) -> bool:
    """Delete the dead letter with this id; False when somebody else did so before."""
    try:
        await bus.jetstream.delete_msg(DEAD_LETTERS, seq)
    except APIError:
        # The broker answers variously, also with codes that it has for other failures.
        if await get(bus, seq) is not None:
            raise
        return False
    return True
