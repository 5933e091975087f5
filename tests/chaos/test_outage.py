"""Without the broker for a minute: requests are accepted all the same, and everything is made up for afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.chaos.books import all_sent, completed_once_each, newest_events, waiting_events
from tests.chaos.processes import down
from tests.chaos.traffic import Traffic
from tests.support.api import Api
from tests.support.stack import Stack, running_stack

REQUESTS_PER_SECOND = 10.0
DRAIN_SECONDS = 30.0


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": "2"}) as running:
        yield running


async def ask_steadily(traffic: Traffic, seconds: float) -> None:
    """Ask for speech at a constant rate for so long, however long the answers take."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    # No text twice: what was spoken before the outage needs nobody.
    before = traffic.sent
    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * REQUESTS_PER_SECOND)):
            group.create_task(traffic.speak(f"Sentence {before + number} in the silence."))
            await asyncio.sleep(max(0.0, began + (number + 1) / REQUESTS_PER_SECOND - loop.time()))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.long)])
async def test_requests_are_accepted_without_the_broker_and_made_up_for_when_it_is_back(
    stack: Stack, seconds: int
) -> None:
    async with Api(stack.url, stack.api_key) as api:
        traffic = Traffic(api, (await api.voices())[0]["id"])
        await ask_steadily(traffic, 2)
        async with down(stack, "nats"):
            await ask_steadily(traffic, seconds)
            assert await waiting_events(stack, "generation") >= seconds * REQUESTS_PER_SECOND / 2
        await all_sent(stack, await newest_events(stack), within=DRAIN_SECONDS)
        # Not one was refused, not even one that a client would have repeated.
        assert traffic.repeated == []
        assert len(traffic.accepted) == traffic.sent == int((2 + seconds) * REQUESTS_PER_SECOND)
        await completed_once_each(stack, api, traffic.accepted, within=90)
