"""One stack without limits for all that asks much."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.document.running import unlimited_stack
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with unlimited_stack() as running:
        yield running
