"""One pool of decoding processes and one spoken text for all tests of a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.audio.intake import Intake
from tests.integration.audio.recordings import Samples, speech


@pytest.fixture(scope="session")
def spoken() -> tuple[Samples, int]:
    """Sentences with pauses, and their sample rate."""
    return asyncio.run(speech())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def intake() -> AsyncIterator[Intake]:
    """Decoding processes for tests that say `loop_scope="session"`."""
    started = Intake(2)
    yield started
    await started.close()
