"""One call that gives a process traces, metrics and logs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from libs.telemetry.logs import configure_logs

SHUTDOWN_SECONDS = 2.0


@dataclass(slots=True)
class Telemetry:
    """What was started, so that it can be flushed when the process stops."""

    _shutdowns: list[Callable[[], object]] = field(default_factory=list)

    def shutdown(self) -> None:
        """Flush what is buffered and stop the exporters, for SHUTDOWN_SECONDS at most.

        A collector that cannot be reached must not keep a process from stopping.
        """
        flushing = threading.Thread(target=self._flush, daemon=True)
        flushing.start()
        flushing.join(SHUTDOWN_SECONDS)

    def _flush(self) -> None:
        for shutdown in reversed(self._shutdowns):
            shutdown()


def start_telemetry(service: str, *, environment: str, otlp_endpoint: str | None, log_level: str = "INFO") -> Telemetry:
    """Start telemetry for the process of `service`.

    With an OTLP endpoint, traces and metrics are exported over OTLP/HTTP; the SDK reads sampling and
    batching from the standard `OTEL_*` variables. Without one nothing is exported, and trace ids
    still pass from service to service, so that logs and error answers carry them.
    """
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    configure_logs(service, log_level)
    resource = Resource.create(
        {
            "service.name": service,
            "service.namespace": "antiphon",
            "service.instance.id": f"{service}-{os.getpid()}",
            "deployment.environment.name": environment,
        }
    )
    if otlp_endpoint is None:
        trace.set_tracer_provider(TracerProvider(resource=resource, sampler=ALWAYS_OFF))
        return Telemetry()
    return _export(resource)


class _WithoutQueries(SpanProcessor):
    """Takes what users search for out of the spans of requests, to which the web framework adds it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - as it is called
        """Blank the query before anybody else sees the span."""
        if span.attributes and "url.query" in span.attributes:
            span.set_attribute("url.query", "REDACTED")


def _export(resource: Resource) -> Telemetry:
    # Imported here: a process that exports nothing need not pay for the exporters.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(_WithoutQueries())
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)
    meters = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter())])
    metrics.set_meter_provider(meters)
    AsyncPGInstrumentor().instrument()  # type: ignore[no-untyped-call]  # the package has no types here
    return Telemetry([tracers.shutdown, meters.shutdown])
