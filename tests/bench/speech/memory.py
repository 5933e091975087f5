"""Whether a worker and its engines grow with the requests that they serve."""

from __future__ import annotations

import psutil

from tests.bench.harness import Row, row
from tests.bench.speech.asking import rate, speak
from tests.bench.speech.stage import IS_LONG, Stage
from tests.bench.speech.texts import text_of

REQUESTS = 10_000 if IS_LONG else 1_600
SAMPLES, CONCURRENCY = 80, 16


async def measure(stage: Stage) -> list[Row]:
    """Compare the last quarter with the second one: in the first, caches fill."""

    async def ask(text: str) -> None:
        await speak(stage.api, stage.voice, text, cache=False)

    sizes: dict[str, list[float]] = {"worker": [], "engine processes": []}
    for _ in range(SAMPLES):
        await rate(ask, [text_of(100) for _ in range(REQUESTS // SAMPLES)], CONCURRENCY)
        sizes["worker"].append(stage.worker.memory_info().rss / 2**20)
        sizes["engine processes"].append(_below(stage.worker, stage.engine_processes) / 2**20)
    quarter = SAMPLES // 4
    return [
        row(
            f"{name}: memory over {REQUESTS:,}",
            seen[3 * quarter :],
            "MB",
            baseline=seen[quarter : 2 * quarter],
            at_most=1.05,
        )
        for name, seen in sizes.items()
    ]


def _below(process: psutil.Process, count: int) -> float:
    """Return the memory of `count` children; one that is being replaced is there twice for a moment."""
    sizes = []
    for child in process.children(recursive=True):
        try:
            sizes.append(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue  # it was replaced just now
    return float(sum(sorted(sizes)[-count:]))
