"""The gateway: what it adds to a small request, audio that passes through, and subscribers who wait."""

from __future__ import annotations

from tests.bench.gateway import audio, proxied, waiting
from tests.bench.gateway.stage import staged
from tests.bench.harness import Row


async def run() -> list[Row]:
    """Measure everything; takes about three minutes."""
    async with staged() as stage:
        rows = await proxied.measure(stage)
        rows += await audio.measure(stage)
        rows += await waiting.measure(stage)
        return rows
