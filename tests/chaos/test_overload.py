"""Ten times what a plan allows, for two minutes; and five hundred listeners who come back at once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest

from tests.chaos.books import completed_once_each, sums_agree
from tests.chaos.customers import new_customer, until_upgraded
from tests.chaos.processes import back
from tests.integration.live.running import Listener, listening
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack, running_stack

pytestmark = [pytest.mark.long, pytest.mark.timeout(480)]

PATH = "/v1/voices/categories"
ALLOWED = 50
"""Requests a second of one key on the pro plan: 3,000 a minute."""
USUAL, NEIGHBOUR = 40, 10
CALM_SECONDS, STORM_SECONDS, RECOVERY_SECONDS = 20.0, 120.0, 10.0
LISTENERS, BACK_SECONDS = 500, 30.0


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": "2"}) as running:
        yield running


@dataclass
class Seen:
    """When each request was asked, what was answered, and after how many milliseconds."""

    answers: list[tuple[float, int, float]] = field(default_factory=list)

    def p99(self, status: int = 200) -> float:
        times = sorted(took for _, answered, took in self.answers if answered == status)
        return times[min(len(times) - 1, len(times) * 99 // 100)]

    def count(self, status: int) -> int:
        return sum(answered == status for _, answered, _ in self.answers)


async def asking(api: Api, a_second: float, seconds: float) -> Seen:
    """Ask at a rate, however long the answers take."""
    seen = Seen()
    begun = time.perf_counter()

    async def ask() -> None:
        asked = time.perf_counter()
        answer = await api.get(PATH)
        seen.answers.append((asked - begun, answer.status, 1000 * (time.perf_counter() - asked)))

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(a_second * seconds)):
            await asyncio.sleep(max(0.0, begun + number / a_second - time.perf_counter()))
            tasks.create_task(ask())
    return seen


async def test_ten_times_what_is_allowed_harms_nobody_else(stack: Stack) -> None:
    gateway = psutil.Process(stack.pid("gateway"))
    async with Api(stack.url, stack.api_key) as operator:
        keys = [(await new_customer(operator))[1] for _ in range(2)]
    async with Api(stack.url, keys[0]) as noisy, Api(stack.url, keys[1]) as neighbour:
        for api in (noisy, neighbour):
            await until_upgraded(api)
        await asyncio.gather(asking(noisy, USUAL, 5), asking(neighbour, NEIGHBOUR, 5))  # until all is warm
        calm, calm_there = await asyncio.gather(
            asking(noisy, USUAL, CALM_SECONDS), asking(neighbour, NEIGHBOUR, CALM_SECONDS)
        )
        before = gateway.memory_full_info().uss
        storm, there = await asyncio.gather(
            asking(noisy, 10 * ALLOWED, STORM_SECONDS), asking(neighbour, NEIGHBOUR, STORM_SECONDS)
        )
        after = gateway.memory_full_info().uss
        begun = time.perf_counter()
        while (await noisy.get(PATH)).status != 200:
            assert time.perf_counter() - begun < RECOVERY_SECONDS
        recovery = time.perf_counter() - begun
        rest = await asking(noisy, USUAL, 5)
    print(
        f"admitted {storm.count(200)}, refused {storm.count(429)}; p99 of the admitted {storm.p99():.1f} ms "
        f"({calm.p99():.1f} in calm), of the other organisation {there.p99():.1f} ({calm_there.p99():.1f}); "
        f"gateway {before / 2**20:.0f} to {after / 2**20:.0f} MB; well again after {recovery:.1f} s"
    )
    assert storm.count(200) + storm.count(429) == len(storm.answers)
    # A full allowance at first, and what comes back.
    assert storm.count(200) <= 60 * ALLOWED + ALLOWED * (STORM_SECONDS + 5)
    assert storm.count(200) >= 0.9 * ALLOWED * STORM_SECONDS
    assert storm.p99() <= 2 * calm.p99()
    assert there.count(200) == len(there.answers)
    assert there.p99() <= 2 * calm_there.p99()
    assert after <= 1.2 * before
    assert rest.count(200) == len(rest.answers)
    await sums_agree(stack)


async def test_five_hundred_listeners_come_back_at_once(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    placed = [asyncio.Event() for _ in range(LISTENERS)]
    returned = [asyncio.Event() for _ in range(LISTENERS)]
    heard: list[set[str]] = [set() for _ in range(LISTENERS)]
    finished = asyncio.Event()

    async def listen(number: int) -> None:
        place: str | None = None
        while not finished.is_set():
            try:
                async with listening(stack.url, headers, place, types="generation.completed") as listener:
                    (returned if placed[number].is_set() else placed)[number].set()
                    await _follow(listener, heard[number])
                    place = listener.last_event_id or place
            except (OSError, AssertionError, TimeoutError):
                # Gone, or not there yet; who comes back waits as a client does.
                await asyncio.sleep(1)

    async def _follow(listener: Listener, ids: set[str]) -> None:
        while (block := await listener.next(60)) is not None:
            ids.add(block.data["data"]["generation_id"])

    async with Api(stack.url, stack.api_key) as api, asyncio.TaskGroup() as tasks:
        listeners = [tasks.create_task(listen(number)) for number in range(LISTENERS)]
        async with asyncio.timeout(60):
            for one in placed:
                await one.wait()
        voice_id = (await api.voices())[0]["id"]
        pid = stack.pid("gateway")
        begun = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        await back(stack, "gateway", pid)
        async with asyncio.timeout(BACK_SECONDS):
            for one in returned:
                await one.wait()
        took = time.perf_counter() - begun
        spoken = str((await api.speak("Who is back hears this.", voice_id))["id"])

        async def all_heard() -> bool:
            return all(spoken in ids for ids in heard)

        await eventually(all_heard, within=BACK_SECONDS, what="everybody to hear it")
        print(f"{LISTENERS} listeners were back {took:.1f} s after the gateway was killed")
        finished.set()
        for listener in listeners:
            listener.cancel()
        await completed_once_each(stack, api, [spoken], within=60)
    assert took < BACK_SECONDS
