"""Search: recall for organisations of any size, latency against bare SQL, ranking of a labelled set, and indexing."""

from __future__ import annotations

from tests.bench.harness import Row, row
from tests.bench.retrieval import indexing, latency, ranking, recall
from tests.bench.retrieval.stage import staged


async def run() -> list[Row]:
    """Measure everything; takes about seven minutes."""
    async with staged() as stage:
        rows = [
            row("chunks", [len(stage.corpus.contents)], ""),
            row("organisations", [len(stage.corpus.tenants)], ""),
            row("cosine of made and real vectors of chunks", [stage.corpus.likeness], ""),
        ]
        rows += await recall.measure(stage)
        rows += await latency.measure(stage)
        rows += await ranking.measure(stage)
        rows += await indexing.measure(stage)
        return rows
