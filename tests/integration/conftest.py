"""Real servers for integration tests: one set for each test process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from libs.objectstore import ObjectStore
from tests.support.servers import Servers, running_servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL, NATS and SeaweedFS, with the bucket made."""
    with running_servers() as running:
        asyncio.run(_make_bucket(running))
        yield running


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> Callable[[str], None]:
    """Call it with a service's name to have its database ready."""
    done: set[str] = set()

    def ensure(service: str) -> None:
        if service not in done:
            servers.migrate(service)
            done.add(service)

    return ensure


@pytest.fixture
async def objects(servers: Servers) -> AsyncIterator[ObjectStore]:
    """The object store, as services use it."""
    store = servers.object_store()
    yield store
    await store.close()


async def _make_bucket(servers: Servers) -> None:
    store = servers.object_store()
    await store.ensure_bucket()
    await store.close()
