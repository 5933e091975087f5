"""Logs: one JSON object a line on standard output, with the ids of the current trace."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import orjson
import structlog
from opentelemetry import trace

_OWN_PACKAGES = ("libs", "services", "deploy")
_FRAMES = 12


def _trace_ids(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def _to_json(event: structlog.typing.EventDict, **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _exceptions(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say where an exception came from, without what it was about.

    Values of variables, parameters of statements and rows in database errors are users' data. Only
    messages that this project's own exceptions carry are kept.
    """
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        event["exception"] = list(_chain(error))
    return event


def _chain(error: BaseException) -> Iterator[dict[str, Any]]:
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

    def _service(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _service,
            _trace_ids,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _exceptions,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "uvicorn.error", "nats", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
