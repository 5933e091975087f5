"""Publishing rows: many all or nothing where the broker can, few one by one; always in order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import orjson
from opentelemetry.trace import Span, set_span_in_context

from libs.messaging.client import encode_headers
from libs.messaging.connection import PUBLISH_TIMEOUT, Bus
from libs.messaging.envelope import CONSUMER_HEADER, Attributes
from libs.messaging.tracing import start_send_span
from libs.telemetry import current_trace_headers

logger = logging.getLogger(__name__)

ATOMIC_FROM = 12
"""Rows from which a batch pays: the broker makes and syncs a store of its own for each. Two events took it 11 ms as a
batch and 2 one by one, sixteen 23 and 27 (server 2.15.1, `sync_interval: always`)."""
_DUPLICATE_IN_BATCH = 10201
_BATCH_ABANDONED = 10176


class PublishRefused(OSError):
    """The broker did not take a batch; the rows stay and are tried again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event lies in its stream; `is_new` unless the broker had it already."""

    seq: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Retelling:
    """Events that are published once more: under ids of this `run`, for all consumers or for one durable."""

    run: str
    consumer: str | None

    def headers(self, event_id: str) -> dict[str, str]:
        """Return what distinguishes the publication from the first one, which the broker may still remember."""
        headers = {"Nats-Msg-Id": f"{event_id}:{self.run}"}
        return headers | {CONSUMER_HEADER: self.consumer} if self.consumer else headers


async def publish_in_order(
    bus: Bus, service: str, rows: Sequence[asyncpg.Record], retelling: Retelling | None = None
) -> Sequence[Place]:
    """Publish outbox rows; return their places, in the same order, once all of them are durable on the broker.

    Raises what the broker or the connection raise; then some may have been published, and publishing
    them again is harmless.
    """
    spans = [start_send_span(row["subject"], str(row["event_id"]), row["trace"]) for row in rows]
    try:
        source = f"antiphon/{service}"
        headers = [_headers(source, row, span) for row, span in zip(rows, spans, strict=True)]
        if retelling is not None:
            headers = [own | retelling.headers(own["ce-id"]) for own in headers]
        places = await _publish_atomically(bus, rows, headers) if len(rows) >= ATOMIC_FROM else None
        return places or await _publish_one_by_one(bus, rows, headers)
    finally:
        for span in spans:
            if span is not None:
                span.end()


def _headers(source: str, row: asyncpg.Record, span: Span | None) -> dict[str, str]:
    attributes = Attributes(
        event_id=row["event_id"],
        type_name=row["type_name"],
        source=source,
        aggregate=row["aggregate"],
        org_id=row["org_id"],
        time=row["created_at"],
        cause=row["cause"],
    )
    trace: dict[str, str] = row["trace"] if span is None else current_trace_headers(set_span_in_context(span))
    return attributes.headers() | trace


async def _publish_atomically(
    bus: Bus, rows: Sequence[asyncpg.Record], headers: Sequence[dict[str, str]]
) -> list[Place] | None:
    """Publish all rows as one atomic batch; None when the batch holds something already published."""
    batch = uuid4().hex
    last = len(rows)
    for number in range(1, last):
        row = rows[number - 1]
        marked = headers[number - 1] | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
        await bus.client.publish_encoded(row["subject"], row["payload"], encode_headers(marked))
    answer = await bus.client.request(
        rows[-1]["subject"],
        rows[-1]["payload"],
        timeout=PUBLISH_TIMEOUT,
        headers=headers[-1] | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(last), "Nats-Batch-Commit": "1"},
    )
    told = orjson.loads(answer.data)
    error = told.get("error")
    if error is None:
        # A batch lies in its stream without a gap; its answer names its last place.
        return [Place(seq, is_new=True) for seq in range(told["seq"] - last + 1, told["seq"] + 1)]
    if error.get("err_code") in (_DUPLICATE_IN_BATCH, _BATCH_ABANDONED):
        return None
    raise PublishRefused(f"the broker refused a batch of {last}: {error.get('description')}")


async def _publish_one_by_one(
    bus: Bus, rows: Sequence[asyncpg.Record], headers: Sequence[dict[str, str]]
) -> list[Place]:
    """Publish row after row; the broker drops those whose id it has seen, and says where they lie."""
    places = []
    for row, own in zip(rows, headers, strict=True):
        answer = await bus.jetstream.publish(row["subject"], row["payload"], timeout=PUBLISH_TIMEOUT, headers=own)
        places.append(Place(answer.seq, is_new=not answer.duplicate))
    return places
