"""Against the bare server: requests a second, one at a time, and again for what was spoken before."""

from __future__ import annotations

import statistics

from tests.bench.harness import Row, row
from tests.bench.speech.asking import rate, speak, speak_bare, timed
from tests.bench.speech.costs import Processor
from tests.bench.speech.stage import Stage
from tests.bench.speech.texts import text_of
from tests.support.api import Api

ROUNDS, CONCURRENCY = 3, 16
WARM_UP, ONE_BY_ONE = 40, 60
REQUESTS = {100: 200, 500: 80}
"""A round's, by the characters of each."""
SHARES = {100: 0.5, 500: 0.7}
"""Of the bare server's rate, by the characters."""


async def measure(stage: Stage) -> list[Row]:
    """Measure in alternate rounds; about a minute."""
    rows: list[Row] = []
    with stage.bare() as bare:
        async with Api(bare.url, None) as beside:

            async def ours(text: str) -> None:
                await speak(stage.api, stage.voice, text, cache=False, format="wav")

            async def theirs(text: str) -> None:
                await speak_bare(beside, text, "wav")

            for ask in (ours, theirs):
                await rate(ask, _texts(100, WARM_UP), CONCURRENCY)
            for characters, share in SHARES.items():
                processor, rates, baselines = Processor(stage.stack), [], []
                spent: dict[str, float] = {}
                for _ in range(ROUNDS):
                    baselines.append(await rate(theirs, _texts(characters, REQUESTS[characters]), CONCURRENCY))
                    processor.spent_since()
                    rates.append(await rate(ours, _texts(characters, REQUESTS[characters]), CONCURRENCY))
                    for name, seconds in processor.spent_since().items():
                        spent[name] = spent.get(name, 0.0) + seconds
                name = f"{characters} characters, {CONCURRENCY} at a time"
                rows.append(row(f"{name}: bare server", baselines, "req/s"))
                rows.append(row(name, rates, "req/s", baseline=baselines, at_least=share))
                if characters == 100:
                    rows += _costs(spent, ROUNDS * REQUESTS[characters])
                    rows.append(await _again(stage, rates))
            rows += await _one_by_one(stage, beside)
    return rows


def _texts(characters: int, count: int) -> list[str]:
    return [text_of(characters) for _ in range(count)]


def _costs(spent: dict[str, float], requests: int) -> list[Row]:
    """Return the processor time that a request of 100 characters took, in all and by process."""
    costs = {name: 1000 * seconds / requests for name, seconds in spent.items()}
    rows = [row("processor time of a request of 100 in all", [sum(costs.values())], "ms")]
    for name, cost in sorted(costs.items(), key=lambda one: -one[1]):
        if cost >= 0.1:
            rows.append(row(f"processor time of it: {name}", [cost], "ms"))
    return rows


async def _again(stage: Stage, uncached: list[float]) -> Row:
    """Ask for a few texts again and again."""
    known = _texts(100, CONCURRENCY)

    async def ask(text: str) -> None:
        await speak(stage.api, stage.voice, text, format="wav")

    await rate(ask, known, CONCURRENCY)
    repeated = [known[number % len(known)] for number in range(2 * REQUESTS[100])]
    rates = [await rate(ask, repeated, CONCURRENCY) for _ in range(ROUNDS)]
    return row("repeated texts, against those that are new", rates, "req/s", baseline=uncached, at_least=3)


async def _one_by_one(stage: Stage, beside: Api) -> list[Row]:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        bare = [await timed(speak_bare(beside, text, "wav")) for text in _texts(100, ONE_BY_ONE // 2)]
        theirs.append(1000 * statistics.median(bare))
        own = [
            await timed(speak(stage.api, stage.voice, text, cache=False, format="wav"))
            for text in _texts(100, ONE_BY_ONE)
        ]
        ours.append(1000 * statistics.median(own))
    return [
        row("100 characters, 1 at a time: bare server, p50", theirs, "ms"),
        row("100 characters, 1 at a time: p50", ours, "ms", at_most=25),
    ]
