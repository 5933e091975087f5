"""Every request is one trace, through all services that it touches."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from tests.support.api import Api
from tests.support.otlp import ReceivedSpan, SpanReceiver
from tests.support.polling import eventually

CLIENT_SPAN_ID = "00f067aa0ba902b7"


def chain(span: ReceivedSpan, by_id: dict[str, ReceivedSpan]) -> list[str]:
    """The services from the root to this span, each named once in a row."""
    services: list[str] = []
    current: ReceivedSpan | None = span
    while current is not None:
        if not services or services[0] != current.service:
            services.insert(0, current.service)
        current = by_id.get(current.parent_id)
    return services


def process_spans(spans: Sequence[ReceivedSpan], service: str, event: str) -> list[ReceivedSpan]:
    return [
        span
        for span in spans
        if span.service == service and span.name.startswith("process") and f".{event}." in span.name
    ]


async def test_one_generation_is_one_trace_without_orphans(api: Api, spans: SpanReceiver) -> None:
    trace_id = uuid4().hex
    voice = (await api.voices())[0]
    answer = await api.post(
        "/v1/generations",
        json={"text": "One trace from the door to the last commit.", "voice_id": voice["id"]},
        headers={"Prefer": "wait=30", "traceparent": f"00-{trace_id}-{CLIENT_SPAN_ID}-01"},
    )
    assert answer.status == 201

    async def complete() -> list[ReceivedSpan]:
        seen = spans.trace(trace_id)
        ended = (
            process_spans(seen, "analytics", "generation_completed"),
            process_spans(seen, "embedding", "generation_completed"),
            process_spans(seen, "storage", "audio_rendered"),
            [span for span in seen if span.service == "gateway"],
        )
        ids = {span.span_id for span in seen} | {CLIENT_SPAN_ID}
        whole = all(span.parent_id in ids for span in seen)
        return seen if all(ended) and whole else []

    seen = await eventually(complete, within=20, what="the whole trace, every parent included")
    by_id = {span.span_id: span for span in seen}
    (door,) = [span for span in seen if span.parent_id == CLIENT_SPAN_ID]
    assert door.service == "gateway"
    assert door.name == "POST /v1/generations"
    # The way to the worker is a row of the queue, which takes the trace along.
    (rendered,) = [span for span in seen if span.service == "worker" and span.name == "speech whole"]
    assert chain(rendered, by_id) == ["gateway", "generation", "worker"]
    (stored,) = process_spans(seen, "storage", "audio_rendered")
    # The worker's events go out through the relay of the service that owns the database.
    assert chain(stored, by_id) == ["gateway", "generation", "worker", "generation", "storage"]
    # The generation is completed with its audio; what reacts to that waits for nobody.
    for service in ("analytics", "embedding"):
        (last,) = process_spans(seen, service, "generation_completed")
        assert chain(last, by_id) == ["gateway", "generation", "worker", "generation", service]
    assert {"speak", "upload audio"} <= {span.name for span in seen if span.service == "worker"}


async def test_an_error_answer_names_its_trace(api: Api) -> None:
    trace_id = uuid4().hex
    answer = await api.get("/v1/generations/unknown", headers={"traceparent": f"00-{trace_id}-{CLIENT_SPAN_ID}-01"})
    assert answer.json["trace_id"] == trace_id
