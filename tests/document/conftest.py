"""One stack without limits for all that asks much."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.document.running import unlimited_stack
from tests.document.world import World, make_world
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with unlimited_stack() as running:
        yield running


@pytest.fixture(scope="session")
def world(stack: Stack) -> World:
    """Two organisations."""
    return asyncio.run(make_world(stack))
