"""Spans and metrics of messaging, by OpenTelemetry's semantic conventions for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import metrics, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from libs.messaging.envelope import Received
from libs.telemetry import trace_context

_tracer = trace.get_tracer("antiphon.messaging")
_meter = metrics.get_meter("antiphon.messaging")
_duration = _meter.create_histogram("messaging.process.duration", unit="s", description="Time to handle a delivery")
_outcomes = _meter.create_counter("antiphon.messaging.outcomes", description="Deliveries by what became of them")


def _attributes(subject: str, event_id: str, operation: str, consumer: str | None = None) -> dict[str, str]:
    attributes = {
        "messaging.system": "nats",
        "messaging.destination.name": subject,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.message.id": event_id,
    }
    if consumer:
        attributes["messaging.consumer.group.name"] = consumer
    return attributes


def _is_unsampled(headers: Mapping[str, str]) -> bool:
    """Say whether `headers` belong to a trace that nobody records: a span in it would cost time and show nothing."""
    return headers.get("traceparent", "").endswith("-00")


def start_send_span(subject: str, event_id: str, headers: Mapping[str, str]) -> Span | None:
    """Start the span under which an event goes to the broker; its parent is what `headers` carry.

    None in a trace that is not recorded: the event then goes on in that trace as it is.
    """
    if _is_unsampled(headers):
        return None
    return _tracer.start_span(
        f"send {subject}",
        context=trace_context(headers),
        kind=SpanKind.PRODUCER,
        attributes=_attributes(subject, event_id, "send"),
    )


@contextmanager
def process_span(received: Received, consumer: str) -> Iterator[Context]:
    """Run a block in the trace of a received event; yields the span's context."""
    with _tracer.start_as_current_span(
        f"process {received.message.subject}",
        context=trace_context(received.headers),
        kind=SpanKind.CONSUMER,
        attributes=_attributes(received.message.subject, str(received.event_id), "process", consumer),
    ) as span:
        yield trace.set_span_in_context(span)


def _start_process_span(one: Received, consumer: str, context: Context) -> Span:
    subject = one.message.subject
    attributes = _attributes(subject, one.id_text, "process", consumer)
    return _tracer.start_span(f"process {subject}", context=context, kind=SpanKind.CONSUMER, attributes=attributes)


@contextmanager
def batch_spans(batch: Sequence[Received], consumer: str) -> Iterator[list[Context]]:
    """Run a block that applies several events at once; yields a context for each of them.

    One event is processed in its own trace. Several get a span each in their own traces, where those are
    recorded, and the shared database work lies in a span that links to all of them.
    """
    if len(batch) == 1:
        with process_span(batch[0], consumer) as context:
            yield [context]
        return
    contexts = [trace_context(one.headers) for one in batch]
    spans: list[Span] = []
    for number, one in enumerate(batch):
        if not _is_unsampled(one.headers):
            spans.append(_start_process_span(one, consumer, contexts[number]))
            contexts[number] = trace.set_span_in_context(spans[-1])
    links = [Link(span.get_span_context()) for span in spans]
    token = attach(Context())
    try:
        with _tracer.start_as_current_span(
            f"apply {consumer}",
            links=links,
            attributes={"messaging.system": "nats", "messaging.batch.message_count": len(batch)},
        ):
            yield contexts
    except BaseException as error:
        for span in spans:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        detach(token)
        for span in spans:
            span.end()


def record_outcome(consumer: str, outcome: str, *, count: int = 1, seconds: float | None = None) -> None:
    """Count deliveries.

    The outcome is applied, duplicate, skipped (meant for others), erased (of whom nothing is kept), retried, dead or
    unavailable.
    """
    attributes = {"messaging.consumer.group.name": consumer, "outcome": outcome}
    _outcomes.add(count, attributes)
    if seconds is not None:
        _duration.record(seconds, attributes)
