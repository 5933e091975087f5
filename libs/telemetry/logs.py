"""Logs: one JSON object a line on standard output, with the ids of the current trace."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from opentelemetry import trace

_OWN_PACKAGES = ("libs", "services", "deploy")
_FRAMES = 12
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record has; the rest is what somebody added."""


class JsonFormatter(logging.Formatter):
    """One record as one JSON object.

    By hand, because a line belongs to every request: it takes a quarter of the time that a chain of processors does.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        event: dict[str, Any] = {  # Any: whatever is logged beside it
            "event": record.getMessage(),
            **{name: value for name, value in record.__dict__.items() if name not in _STANDARD},
        }
        event["level"] = record.levelname.lower()
        event["logger"] = record.name
        event["timestamp"] = _timestamp(record.created)
        event["service"] = self._service
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
            event["span_id"] = f"{context.span_id:016x}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            event["exception"] = list(_chain(error))
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _chain(error: BaseException) -> Iterator[dict[str, Any]]:  # Any: text, and a list of it
    """Say where an exception came from, without what it was about.

    Values of variables, parameters of statements and rows in database errors are users' data. Only
    messages that this project's own exceptions carry are kept.
    """
    seen: BaseException | None = error
    while seen is not None:
        kind = type(seen)
        told: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
        if kind.__module__.split(".")[0] in _OWN_PACKAGES:
            told["message"] = str(seen)
        if (state := getattr(seen, "sqlstate", None)) is not None:
            told["sqlstate"] = state
        told["frames"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(seen.__traceback__)
        ][-_FRAMES:]
        yield told
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def configure_logs(service: str, level: str) -> None:
    """Send every log record of the process to standard output as JSON.

    Records carry what their `extra` says. Nobody logs texts, audio, keys or addresses:
    handlers pass ids and counts.
    """
    # Of no use in a line; the library asks for them for each record unless told otherwise.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "uvicorn.error", "nats", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
