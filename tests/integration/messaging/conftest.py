"""A scratch database with outbox and inbox, and the provisioned broker, for tests of the messaging libraries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest
from nats.js.api import DeliverPolicy

from libs.messaging import Consumers
from libs.messaging.topology import durables
from tests.support.scratch import Scratch, scratch_database
from tests.support.servers import Servers


@pytest.fixture
async def scratch(servers: Servers) -> AsyncIterator[Scratch]:
    async with scratch_database(servers) as made:
        yield made


@pytest.fixture
def group() -> str:
    """A consumer group that no other test uses."""
    return f"test_{uuid4().hex[:12]}"


@pytest.fixture
def provisioned(scratch: Scratch) -> Callable[[Consumers], object]:
    """Call and await it with consumers to have their durables, which see only what comes later.

    All tests share the streams: a durable from the beginning would be given other tests' events.
    """

    async def ensure(consumers: Consumers) -> None:
        for stream, config in durables([consumers]):
            await scratch.bus.jetstream.add_consumer(stream, config.evolve(deliver_policy=DeliverPolicy.NEW))

    return ensure
