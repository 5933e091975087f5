"""One stack for all end-to-end tests of a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.api import Api
from tests.support.otlp import SpanReceiver
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def spans() -> Iterator[SpanReceiver]:
    """A receiver to which the stack exports its traces."""
    with SpanReceiver.running() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def stack(spans: SpanReceiver) -> Iterator[Stack]:
    """The whole system, tracing every request."""
    extra = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "60000",
        "ANTIPHON_ENGINE_PROCESSES": "2",
        "ANTIPHON_QUEUE_INTERACTIVE_SECONDS": "30",
        "ANTIPHON_WEBHOOK_ALLOWED": "127.0.0.1",
    }
    with running_stack(extra) as running:
        yield running


@pytest.fixture
async def api(stack: Stack) -> AsyncIterator[Api]:
    """A client with the first organisation's key."""
    async with Api(stack.url, stack.api_key) as client:
        yield client
