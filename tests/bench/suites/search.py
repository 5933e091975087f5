"""Search: recall for organisations of any size, latency against bare SQL, ranking of a labelled set, and indexing."""

from __future__ import annotations

import sys
import time

from tests.bench.harness import Row, row
from tests.bench.retrieval import indexing, latency, ranking, recall
from tests.bench.retrieval.stage import staged

_PARTS = {"ranking": ranking, "recall": recall, "latency": latency, "indexing": indexing}


async def run() -> list[Row]:
    """Measure everything; takes about six minutes on 4 idle cores, and says how far it is."""
    begun = time.monotonic()
    async with staged() as stage:
        rows = [
            row("chunks", [len(stage.corpus.contents)], ""),
            row("organisations", [len(stage.corpus.tenants)], ""),
            row("cosine of made and real vectors of chunks", [stage.corpus.likeness], ""),
        ]
        for name, part in _PARTS.items():
            print(f"{time.monotonic() - begun:.0f} s: {name}", file=sys.stderr, flush=True)
            rows += await part.measure(stage)
        return rows
