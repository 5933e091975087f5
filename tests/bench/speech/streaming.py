"""How soon a long text is heard."""

from __future__ import annotations

import time

import aiohttp

from tests.bench.harness import Row, row
from tests.bench.speech.stage import Stage
from tests.bench.speech.texts import text_of

CHARACTERS = 5_000
WARM_UP, SAMPLES = 3, 15
HEAD_BYTES = 1_024
"""More than what an mp3 begins with before anything is heard."""


async def measure(stage: Stage) -> list[Row]:
    """Stream texts, none of which was spoken before; about a quarter of a minute."""
    headers = {"Authorization": f"Bearer {stage.stack.api_key}"}
    async with aiohttp.ClientSession(stage.stack.url, headers=headers) as session:
        seen = [await _streamed(session, stage) for _ in range(WARM_UP + SAMPLES)][WARM_UP:]
    first, last = [one[0] for one in seen], [one[1] for one in seen]
    name = f"stream of {CHARACTERS:,}: first audio byte"
    return [
        row(f"{name}, p50", first, "ms", at_most=60),
        row(f"{name}, against the last", first, "ms", baseline=last, at_most=0.2),
    ]


async def _streamed(session: aiohttp.ClientSession, stage: Stage) -> tuple[float, float]:
    """Return after how many milliseconds the first audio and the last byte were there."""
    question = {"text": text_of(CHARACTERS), "voice_id": stage.voice.id}
    begun, first, size = time.perf_counter(), 0.0, 0
    async with session.post("/v1/generations/stream", json=question) as response:
        response.raise_for_status()
        async for content in response.content.iter_any():
            size += len(content)
            if not first and size > HEAD_BYTES:
                first = time.perf_counter() - begun
    if not first:
        raise RuntimeError("the stream ended before anything was heard")
    return 1000 * first, 1000 * (time.perf_counter() - begun)
