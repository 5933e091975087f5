"""The broker's disk is lost, or put back as it was some time ago: the archives make up for it, without a command."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.embedded.home import Home
from tests.chaos.books import completed_once_each, streams_hold_what_was_sent
from tests.chaos.processes import down, paused
from tests.chaos.traffic import Traffic, more_accepted, steady_traffic
from tests.support.api import Api
from tests.support.stack import Stack, running_stack

REQUESTS_PER_SECOND = 10.0
BEFORE, AFTER = 40, 40
"""How many generations are asked for before the broker is lost, and after it is back."""
RECALLED = "the stream was behind the archive"


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": "2"}) as running:
        yield running


def storage_of(stack: Stack) -> Path:
    """Where the broker keeps everything that it knows."""
    return Home(stack.home).nats / "store"


async def lose_the_broker(stack: Stack, replace_storage: Callable[[], None], traffic: Traffic) -> None:
    """Kill the broker under traffic, start it again on another storage, and let the traffic go on for a while."""
    async with down(stack, "nats"):
        replace_storage()
    await more_accepted(traffic, AFTER)


async def nothing_is_missing(stack: Stack, api: Api, traffic: Traffic) -> None:
    """Look at everything, once the traffic has ended."""
    assert traffic.failures == []
    await completed_once_each(stack, api, traffic.accepted, within=90)
    await streams_hold_what_was_sent(stack, within=60)
    # Once more: by now everything that came again has come.
    await completed_once_each(stack, api, traffic.accepted, within=10)
    assert RECALLED in stack.log("generation"), "nothing was lost, so nothing was shown"


@pytest.mark.timeout(300)
async def test_a_broker_whose_storage_is_deleted_costs_nothing(stack: Stack) -> None:
    async with Api(stack.url, stack.api_key) as api:
        async with steady_traffic(api, per_second=REQUESTS_PER_SECOND) as traffic:
            await more_accepted(traffic, BEFORE)
            await lose_the_broker(stack, lambda: shutil.rmtree(storage_of(stack)), traffic)
        await nothing_is_missing(stack, api, traffic)


@pytest.mark.timeout(420)
@pytest.mark.parametrize("age_seconds", [10, pytest.param(120, marks=pytest.mark.long)])
async def test_a_broker_that_is_restored_from_an_old_copy_costs_nothing(
    stack: Stack, tmp_path: Path, age_seconds: int
) -> None:
    copy = tmp_path / "copy"

    def restore() -> None:
        shutil.rmtree(storage_of(stack))
        shutil.move(copy, storage_of(stack))

    async with Api(stack.url, stack.api_key) as api:
        async with steady_traffic(api, per_second=REQUESTS_PER_SECOND) as traffic:
            await more_accepted(traffic, BEFORE)
            # As a snapshot of a disk: everything of one moment.
            with paused(stack, "nats"):
                shutil.copytree(storage_of(stack), copy)
            await asyncio.sleep(age_seconds)
            await lose_the_broker(stack, restore, traffic)
        await nothing_is_missing(stack, api, traffic)
