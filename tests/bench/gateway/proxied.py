"""What a small request through the gateway costs, against the same one asked of the service itself."""

from __future__ import annotations

from tests.bench.gateway.load import Load, load
from tests.bench.gateway.pairs import Pairs, Server, paired
from tests.bench.gateway.stage import Stage
from tests.bench.harness import Row, row

ROUNDS = 5
PATH = "/v1/voices/categories"
"""The smallest answer of a service that reads its database: less than 1 kB."""
CONNECTIONS, PROCESSES = 32, 2
MOST_BUSY = 0.9


async def measure(stage: Stage) -> list[Row]:
    """Ask service and gateway in turn: with many connections for the rate, with one for the time."""
    service, gateway = (stage.service_url("voice"), stage.identity("voice")), (stage.stack.url, stage.key)
    many: dict[str, list[Load]] = {"service": [], "gateway": []}
    alone: list[Pairs] = []
    for url, headers in (service, gateway):
        await load(url + PATH, headers, connections=8, seconds=2)  # until both are warm
    spent: list[float] = []
    for _ in range(ROUNDS):
        for name, (url, headers) in (("service", service), ("gateway", gateway)):
            before = sum(stage.gateway.cpu_times()[:2])
            many[name].append(await load(url + PATH, headers, connections=CONNECTIONS, processes=PROCESSES))
            if name == "gateway":
                spent.append(1000 * (sum(stage.gateway.cpu_times()[:2]) - before) / many[name][-1].count)
        alone.append(await paired(*(Server(url + PATH, headers) for url, headers in (service, gateway))))
    busiest = max(one.busy for runs in many.values() for one in runs)
    if busiest > MOST_BUSY:
        raise RuntimeError(f"the clients were busy to {busiest:.0%}: it was they who were measured")
    added = [pairs.second - pairs.first for pairs in alone]
    return [
        row("small GET, the service itself, 64 connections", [one.rate for one in many["service"]], "req/s"),
        row(
            "the same through the gateway",
            [one.rate for one in many["gateway"]],
            "req/s",
            baseline=[one.rate for one in many["service"]],
            at_least=0.6,
        ),
        row("the gateway's processor time a request", spent, "ms"),
        row("one at a time, the service itself: p50", [pairs.first for pairs in alone], "ms"),
        row("one at a time, through the gateway: p50", [pairs.second for pairs in alone], "ms"),
        row("what the gateway adds to it", added, "ms", at_most=0.5),
        row("the busiest client's share of its core", [100 * busiest], "%"),
    ]
