"""Audio that is read again, against audio that has to be fetched from the object store."""

from __future__ import annotations

from tests.bench.gateway import reads
from tests.bench.gateway.stage import staged
from tests.bench.harness import Row


async def run() -> list[Row]:
    """Measure everything; takes about a minute."""
    async with staged() as stage:
        return await reads.measure(stage)
