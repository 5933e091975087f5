"""Trace context as plain headers, so that it can lie in a row or travel in a message."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()


def current_trace_headers(context: Context | None = None) -> dict[str, str]:
    """Return `traceparent` (and `tracestate`) of the current or given context; empty without a trace."""
    headers: dict[str, str] = {}
    _W3C.inject(headers, context)
    return headers


def trace_context(headers: Mapping[str, str] | None) -> Context:
    """Return the context that `headers` carry; an empty one when they carry none."""
    return _W3C.extract(headers or {}, context=Context())
