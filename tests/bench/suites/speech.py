"""Speech: rates against a bare server, streams, long texts, memory, fairness, and what is not spoken twice."""

from __future__ import annotations

from tests.bench.harness import Row
from tests.bench.speech import fairness, memory, rates, scaling, sparing, streaming
from tests.bench.speech.stage import staged


async def run() -> list[Row]:
    """Measure everything; takes about ten minutes, and half an hour with BENCH_LONG=1."""
    async with staged() as stage:
        rows = await rates.measure(stage)
        rows += await streaming.measure(stage)
        rows += await scaling.measure_job(stage)
        rows += await sparing.measure_edit(stage)
        rows += await memory.measure(stage)
        rows += await sparing.measure_kill(stage)
        rows += await fairness.measure(stage)
    rows += await scaling.measure_workers()
    return rows
