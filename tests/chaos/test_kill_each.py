"""Killing any process in the middle of a run loses nothing and counts nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack, running_stack

GENERATIONS = 200
CONCURRENCY = 16
PROCESSES = (
    "gateway",
    "voice",
    "generation",
    "worker",
    "storage",
    "embedding",
    "analytics",
    "nats",
    "postgres",
    "s3",
)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack({"ANTIPHON_ENGINE_PROCESSES": "2"}) as running:
        yield running


async def request_until_accepted(api: Api, text: str, voice_id: str) -> str:
    """Post with an idempotency key, again and again, as a careful client does; return the generation's id."""
    key = uuid4().hex
    deadline = asyncio.get_running_loop().time() + 60
    last: object = None
    while asyncio.get_running_loop().time() < deadline:
        try:
            answer = await api.post(
                "/v1/generations",
                json={"text": text, "voice_id": voice_id},
                headers={"Idempotency-Key": key, "Prefer": "wait=2"},
            )
            last = (answer.status, answer.content)
            if answer.status in (201, 202):
                return str(answer.json["id"])
            assert answer.status >= 500, last
        except (aiohttp.ClientError, TimeoutError) as error:
            last = error
        await asyncio.sleep(0.2)
    raise AssertionError(f"never accepted: {last!r}")


async def kill_in_the_middle(stack: Stack, process: str, progress: list[str]) -> None:
    async def a_third_done() -> bool:
        return len(progress) >= GENERATIONS // 3

    await eventually(a_third_done, within=60, what="a third of the run")
    os.kill(stack.pid(process), signal.SIGKILL)


async def count(stack: Stack, service: str, query: str, ids: list[str]) -> int:
    url = stack.exports()["ANTIPHON_POSTGRES_ADMIN_URL"].rsplit("/", 1)[0]
    connection = await asyncpg.connect(f"{url}/antiphon_{service}")
    try:
        found: int = await connection.fetchval(query, ids)
        return found
    finally:
        await connection.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("process", PROCESSES)
async def test_a_run_survives_the_death_of(stack: Stack, process: str) -> None:
    async with Api(stack.url, stack.api_key) as api:
        voice = (await api.voices())[0]["id"]
        progress: list[str] = []
        slots = asyncio.Semaphore(CONCURRENCY)

        async def one(number: int) -> str:
            async with slots:
                generation_id = await request_until_accepted(api, f"Number {number} in spite of {process}.", voice)
                progress.append(generation_id)
                return generation_id

        killing = asyncio.create_task(kill_in_the_middle(stack, process, progress))
        ids = await asyncio.gather(*(one(number) for number in range(GENERATIONS)))
        await killing
        assert len(set(ids)) == GENERATIONS
        finished = await asyncio.gather(*(api.until_completed(one_id, within=90) for one_id in ids))
        assert [generation["status"] for generation in finished] == ["completed"] * GENERATIONS
    expectations = {
        "storage": "select count(*) from audio_tracks where generation_id = any($1::uuid[])",
        "embedding": "select count(*) from documents where source_id = any($1::text[]) and status = 'indexed'",
        "analytics": "select count(*) from usage_metrics where resource_id = any($1::uuid[]) and unit = 'characters'",
    }
    for service, query in expectations.items():

        async def all_counted(service: str = service, query: str = query) -> bool:
            found = await count(stack, service, query, list(ids))
            assert found <= GENERATIONS, f"{service} has {found} of {GENERATIONS}"
            return found == GENERATIONS

        await eventually(all_counted, within=60, what=f"{GENERATIONS} rows in {service}")
