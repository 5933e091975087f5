"""Restarting one service after another, as an update does, is noticed by no client that repeats a request once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.chaos.books import completed_once_each
from tests.chaos.processes import restarted
from tests.chaos.traffic import steady_traffic
from tests.support.api import Api
from tests.support.stack import Stack, running_stack

PROCESSES = ("voice", "generation", "worker", "storage", "embedding", "analytics", "gateway")
REQUESTS_PER_SECOND = 15.0


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": "2"}) as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.long)])
async def test_no_request_fails_twice_while_every_service_is_restarted(stack: Stack, rounds: int) -> None:
    async with Api(stack.url, stack.api_key) as api:
        async with steady_traffic(api, per_second=REQUESTS_PER_SECOND) as traffic:
            for _ in range(rounds):
                for process in PROCESSES:
                    await restarted(stack, process)
        assert traffic.failures == []
        assert traffic.sent > rounds * len(PROCESSES), "too little traffic to mean something"
        await completed_once_each(stack, api, traffic.accepted, within=60)
    # Each of them ended by itself, in time and without an error, rather than being killed.
    for process in PROCESSES:
        assert stack.record["processes"][process]["restarts"] == rounds
    ends = re.findall(
        r"^ *[0-9.]+ s  (\w+) (ended with exit code \d+|was ended by \w+)", stack.log("supervisor"), re.MULTILINE
    )
    assert sorted(ends) == sorted([(process, "ended with exit code 0") for process in PROCESSES] * rounds)
