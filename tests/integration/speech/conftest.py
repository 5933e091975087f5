"""The engine that is built in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from libs.speech.espeak import EspeakEngine


@pytest.fixture
async def engine() -> AsyncIterator[EspeakEngine]:
    started = EspeakEngine(2)
    await started.start()
    yield started
    await started.close()
