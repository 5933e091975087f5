"""Against the bare server: requests a second, one at a time, and again for what was spoken before.

Beside both runs a bare server that stores one object and one row for each request: what storing costs at the least,
whoever does it.
"""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.harness import Row, row
from tests.bench.speech.asking import rate, speak, speak_bare, timed
from tests.bench.speech.costs import Processor
from tests.bench.speech.stage import Stage
from tests.bench.speech.texts import text_of
from tests.support.api import Api

Ask = Callable[[str], Awaitable[object]]
ROUNDS, CONCURRENCY = 3, 16
WARM_UP, ONE_BY_ONE = 40, 60
REQUESTS = {100: 200, 500: 80}
"""A round's, by the characters of each."""
SHARES = {100: 0.5, 500: 0.7}
"""Of the bare server's rate, by the characters."""


@dataclass(frozen=True)
class _Servers:
    """How each of the measured servers is asked for a text."""

    ours: Ask
    bare: Ask
    keeping: Ask


async def measure(stage: Stage) -> list[Row]:
    """Measure in alternate rounds; about a minute and a half."""
    rows: list[Row] = []
    with stage.bare() as bare, stage.bare(keeps=True) as keeping:
        async with Api(bare.url, None) as beside, Api(keeping.url, None) as storing:

            async def ours(text: str) -> None:
                await speak(stage.api, stage.voice, text, cache=False, format="wav")

            servers = _Servers(ours, lambda text: speak_bare(beside, text), lambda text: speak_bare(storing, text))
            for ask in (servers.ours, servers.bare, servers.keeping):
                await rate(ask, _texts(100, WARM_UP), CONCURRENCY)
            for characters in SHARES:
                rows += await _many(stage, servers, characters)
            rows += await _one_by_one(servers)
    return rows


async def _many(stage: Stage, servers: _Servers, characters: int) -> list[Row]:
    """Ask for new texts, so many at a time."""
    processor, rates, baselines, least = Processor(stage.stack), [], [], []
    spent: dict[str, float] = {}
    for _ in range(ROUNDS):
        baselines.append(await rate(servers.bare, _texts(characters, REQUESTS[characters]), CONCURRENCY))
        least.append(await rate(servers.keeping, _texts(characters, REQUESTS[characters]), CONCURRENCY))
        processor.spent_since()
        rates.append(await rate(servers.ours, _texts(characters, REQUESTS[characters]), CONCURRENCY))
        for name, seconds in processor.spent_since().items():
            spent[name] = spent.get(name, 0.0) + seconds
    name = f"{characters} characters, {CONCURRENCY} at a time"
    rows = [
        row(f"{name}: bare server", baselines, "req/s"),
        row(f"{name}: bare server that stores", least, "req/s", baseline=baselines),
        row(name, rates, "req/s", baseline=baselines, at_least=SHARES[characters]),
        row("  the same, against the bare server that stores", rates, "req/s", baseline=least),
    ]
    if characters == 100:
        rows += _costs(spent, ROUNDS * REQUESTS[characters])
        rows.append(await _again(stage, rates))
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


async def _one_by_one(servers: _Servers) -> list[Row]:
    async def median(ask: Ask, count: int) -> float:
        return 1000 * statistics.median([await timed(ask(text)) for text in _texts(100, count)])

    times: dict[str, list[float]] = {"bare": [], "keeping": [], "ours": []}
    for _ in range(ROUNDS):
        times["bare"].append(await median(servers.bare, ONE_BY_ONE // 2))
        times["keeping"].append(await median(servers.keeping, ONE_BY_ONE // 2))
        times["ours"].append(await median(servers.ours, ONE_BY_ONE))
    return [
        row("100 characters, 1 at a time: bare server, p50", times["bare"], "ms"),
        row("100 characters, 1 at a time: bare server that stores, p50", times["keeping"], "ms"),
        row("100 characters, 1 at a time: p50", times["ours"], "ms", at_most=25),
        row("  the same, against the bare server that stores", times["ours"], "ms", baseline=times["keeping"]),
    ]
