"""The gateway: what it adds to a small request, audio that passes through, and subscribers who wait."""

from __future__ import annotations

from tests.bench.gateway import proxied
from tests.bench.gateway.stage import staged
from tests.bench.harness import Row


async def run() -> list[Row]:
    """Measure everything; takes about three minutes."""
    async with staged() as stage:
        return await proxied.measure(stage)
