"""The event backbone: drain, latency, applying, what an event costs its transaction, and memory; against raw loops."""

from __future__ import annotations

from tests.bench.backbone import applying, drain, memory, transactions
from tests.bench.harness import Row
from tests.support.scratch import scratch_database
from tests.support.servers import running_servers


async def run() -> list[Row]:
    """Measure everything; takes about five minutes, most of it for the million events of the memory."""
    with running_servers() as servers:
        async with scratch_database(servers) as scratch:
            rows = await transactions.measure(scratch)
            rows += await drain.measure(scratch)
            rows += await applying.measure_latency(scratch)
            rows += await applying.measure_speed(scratch)
            rows += await memory.measure(scratch)
            return rows
