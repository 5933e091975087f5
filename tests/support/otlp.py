"""A receiver of traces over OTLP/HTTP, which keeps every span."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class ReceivedSpan:
    """One span; ids are hexadecimal, `parent_id` is empty for a root, times are nanoseconds."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    started: int
    ended: int
    attributes: dict[str, Any]  # Any: OTLP values

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.started) / 1e9


@dataclass
class SpanReceiver:
    """Keeps what it receives."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    """All that came, as it came; if that is asked for."""
    _spans: list[ReceivedSpan] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def trace(self, trace_id: str) -> list[ReceivedSpan]:
        """All spans of one trace so far."""
        with self._lock:
            return [span for span in self._spans if span.trace_id == trace_id]

    def count(self, name: str) -> int:
        """How many spans of a name there are so far."""
        with self._lock:
            return sum(span.name == name for span in self._spans)

    def has(self, wanted: bytes) -> bool:
        """Say whether this stands in anything that came; bodies have to be kept."""
        return any(wanted in body for body in self.bodies)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._spans.clear()

    def take(self, body: bytes) -> None:
        """Take in one export."""
        request = ExportTraceServiceRequest.FromString(body)
        taken: list[ReceivedSpan] = []
        for resource in request.resource_spans:
            named = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
            for scope in resource.scope_spans:
                taken.extend(_received(span, named["service.name"]) for span in scope.spans)
        with self._lock:
            self._spans.extend(taken)

    @classmethod
    @contextmanager
    def running(cls, *, keeps_bodies: bool = False) -> Iterator[Self]:
        """Run a receiver on a free port of this machine."""
        receiver = cls()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: object) -> None:
                """Nothing is logged."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if keeps_bodies:
                    receiver.bodies.append(body)
                if self.path.endswith("/v1/traces"):
                    receiver.take(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _received(span: Span, service: str) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        started=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        attributes={one.key: _value(one.value) for one in span.attributes},
    )


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
