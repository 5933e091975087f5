"""Engines beside the embedded one, which may be away: the worker runs on without them."""

from __future__ import annotations

import asyncio
import logging

from libs.speech.engine import EngineUnavailable, SpeechEngine

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0


async def keep_started(engine: SpeechEngine) -> None:
    """Start an engine, and again whenever it is not ready; what it lacks is said in the log, and in its model."""
    while True:
        if not engine.is_ready:
            try:
                await engine.start()
            except EngineUnavailable as error:
                logger.warning("an engine does not start", extra={"engine": engine.name, "reason": str(error)})
        await asyncio.sleep(LOOK_SECONDS)
