"""Every message three times in shuffled order: the same final state as once in order, for every consumer group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from libs.contracts.registry import all_events, event_type
from tests.integration.shuffled.histories import EVERYTHING, History, histories
from tests.integration.shuffled.parties import PARTIES
from tests.integration.shuffled.stage import Party, Stage, running
from tests.support.servers import Servers

# `pytest --hypothesis-profile=thorough` looks for longer, and elsewhere every time.
EXAMPLES, THOROUGH_EXAMPLES = 16, 150


def profile() -> settings:
    thorough = settings.get_current_profile_name() == "thorough"
    return settings(
        max_examples=THOROUGH_EXAMPLES if thorough else EXAMPLES,
        derandomize=not thorough,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # Shrinking would play a history over and over; the plan of the one that was found is short enough to read.
        phases=(Phase.explicit, Phase.generate),
    )


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    """The group runs on while Hypothesis thinks of the next history."""
    with asyncio.Runner() as runner:
        yield runner


OF_NO_LIFE = {"OrganizationErasureRequested", "OrganizationErased", "ExportRequested", "DataExported"}
"""What ends all lives at once, and what writes them down. The end is asked for twice, the second time when all that was
on its way has come; what an order does to it is tested where it is done (`gateway/test_erasure.py`,
`tests/e2e/test_erasure.py`, `gateway/test_exports.py`)."""


OF_UPKEEP = {"AudioLost", "ObjectsAbandoned", "AudioExpired"}
"""What is told about objects, not by whoever lives: that it can come twice and late is tested where it is done
(`storage/test_verifying.py`, `generation/test_sweeping.py`)."""


def test_the_histories_tell_of_every_type_of_event() -> None:
    lived = {event for event in all_events() if event.message.DESCRIPTOR.name not in OF_NO_LIFE | OF_UPKEEP}
    assert {event_type(told.event) for told in EVERYTHING.told} == lived


@pytest.mark.timeout(600)
@pytest.mark.parametrize("party", PARTIES, ids=lambda party: party.consumers.group)
def test_three_times_in_any_order_is_once_in_order(
    servers: Servers, migrated: Callable[[str], None], loop: asyncio.Runner, party: Party
) -> None:
    migrated(party.service)
    play = running(servers, party)
    stage: Stage = loop.run(play.__aenter__())

    @profile()
    @example(history=EVERYTHING, seed=1, parts=1)
    @given(history=histories(), seed=st.integers(0, 2**16), parts=st.integers(1, 4))
    def same(history: History, seed: int, parts: int) -> None:
        once = loop.run(stage.play(history, [[told] for told in history.told]))
        shuffled = history.shuffled(seed)
        size = -(-len(shuffled) // parts)
        thrice = loop.run(stage.play(history, [shuffled[at : at + size] for at in range(0, len(shuffled), size)]))
        assert thrice.differences(once) == []

    try:
        same()
    finally:
        loop.run(play.__aexit__(None, None, None))
