"""Traces, metrics and logs for every process."""

from __future__ import annotations

from libs.telemetry.propagation import current_trace_headers, trace_context
from libs.telemetry.setup import Telemetry, start_telemetry

__all__ = ["Telemetry", "current_trace_headers", "start_telemetry", "trace_context"]
