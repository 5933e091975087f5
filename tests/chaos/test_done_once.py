"""Requests with an idempotency key are done once, whatever becomes of the gateways that were asked."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.chaos.books import completed_once_each, database
from tests.chaos.processes import restarted
from tests.chaos.replica import Replica, second_gateway
from tests.support.api import Answer, Api
from tests.support.stack import Stack, running_stack

CLIENTS = 12
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.1
RULES = [{"phrase": "Ann", "replacement": "Anne"}]


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": "2"}) as running:
        yield running


@dataclass
class Clients:
    """Clients of two gateways, who repeat each request at any of them until it is answered."""

    gateways: list[Api]
    voice_id: str
    dictionary_id: str
    mark: str = field(default_factory=lambda: uuid4().hex[:8])
    generations: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    dictionaries: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    async def send(self, number: int) -> None:
        """Send the request of this number: most are for speech, some to hear it, the others for dictionaries."""
        body = {"text": f"Order {number} of {self.mark}.", "voice_id": self.voice_id}
        if number % 10 == 3:
            answer = await self._until_answered("/v1/generations/stream", body)
            self.generations.append(answer.headers["Generation-Id"])
        elif number % 10 == 5:
            path = f"/v1/dictionaries/{self.dictionary_id}/versions"
            self.versions.append((await self._until_answered(path, {"rules": RULES})).json["version"])
        elif number % 10 == 7:
            named = {"name": f"{self.mark} {number}", "rules": RULES}
            self.dictionaries.append((await self._until_answered("/v1/dictionaries", named)).json["id"])
        else:
            self.generations.append((await self._until_answered("/v1/generations", body)).json["id"])

    async def _until_answered(self, path: str, body: dict[str, Any]) -> Answer:  # Any: JSON
        headers = {"Idempotency-Key": uuid4().hex}
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            api = random.choice(self.gateways)
            try:
                answer = await api.post(path, json=body, headers=headers, timeout=aiohttp.ClientTimeout(total=30))
            except (aiohttp.ClientError, TimeoutError):
                self.told["cut off"] += 1
            else:
                replayed = " again" if "Idempotency-Replayed" in answer.headers else ""
                self.told[f"{answer.status}{replayed}"] += 1
                if answer.status < 300:
                    return answer
                # A restarting gateway says 503; nothing else than "not now" is right.
                assert answer.status in (409, 502, 503, 504), (path, answer.status, answer.content)
                assert answer.status != 409 or answer.json["code"] == "request_still_running", answer.content
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"POST {path} was not answered within {PATIENCE_SECONDS} s: {self.told}")

    async def run(self, requests: int) -> None:
        """Send so many requests, CLIENTS at a time."""
        room = asyncio.Semaphore(CLIENTS)

        async def one(number: int) -> None:
            async with room:
                await self.send(number)

        async with asyncio.TaskGroup() as group:
            for number in range(requests):
                group.create_task(one(number))


async def kill_in_turn(stack: Stack, replica: Replica, done: asyncio.Event) -> None:
    """Kill one gateway and, when it is back, the other, until all is done; then both are there."""
    while not done.is_set():
        await restarted(stack, "gateway", signal.SIGKILL)
        replica.kill()
        replica.start()
        await replica.until_ready()


@pytest.mark.timeout(500)
@pytest.mark.parametrize("requests", [300, pytest.param(2000, marks=pytest.mark.long)])
async def test_each_request_is_done_once_while_gateways_are_killed_in_turn(stack: Stack, requests: int) -> None:
    with second_gateway(stack) as replica:
        await replica.until_ready()
        async with Api(stack.url, stack.api_key) as api, Api(replica.url, stack.api_key) as other:
            voice_id = (await api.voices())[0]["id"]
            made = await api.post("/v1/dictionaries", json={"name": "Versions", "rules": RULES})
            clients = Clients([api, other], voice_id, made.json["id"])
            done = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(kill_in_turn(stack, replica, done))
                await clients.run(requests)
                done.set()
            print(
                f"{requests} requests: {dict(clients.told)}; {stack.record['processes']['gateway']['restarts']} kills"
            )
            assert clients.told["cut off"], "no request met a gateway that was killed"
            await _each_was_done_once(stack, clients)
            await completed_once_each(stack, api, clients.generations, within=180)


async def _each_was_done_once(stack: Stack, clients: Clients) -> None:
    # Who repeats a change that was made before is told how the dictionary is by then, with the changes of others.
    assert set(clients.versions) <= set(range(2, 2 + len(clients.versions)))
    async with database(stack, "generation") as connection:
        spoken = await connection.fetch("select id::text from generations where text like $1", f"%{clients.mark}.")
        assert sorted(row["id"] for row in spoken) == sorted(clients.generations)
        named = await connection.fetch("select id::text from dictionaries where name <> 'Versions'")
        assert sorted(row["id"] for row in named) == sorted(clients.dictionaries)
        (newest,) = await connection.fetch("select version from dictionaries where name = 'Versions'")
        assert newest["version"] == 1 + len(clients.versions)
