"""A service that is asked to stop ends what it has begun and lets nobody wait in vain."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import Stack

STOP_SECONDS = 10.0


async def post(api: Api, voice_id: str, number: int) -> tuple[int, str]:
    answer = await api.post(
        "/v1/generations",
        json={"text": f"Sentence {number} is spoken although its service stops.", "voice_id": voice_id},
        headers={"Prefer": "wait=30", "Idempotency-Key": f"stop-{os.getpid()}-{number}"},
    )
    return answer.status, str(answer.json.get("id", ""))


async def test_who_waits_in_a_service_that_stops_is_told_how_far_it_is(stack: Stack, api: Api) -> None:
    voice = (await api.voices())[0]["id"]
    worker, generation = stack.pid("worker"), stack.pid("generation")
    os.kill(worker, signal.SIGSTOP)
    try:
        waiting = [asyncio.create_task(post(api, voice, number)) for number in range(4)]

        async def all_accepted() -> bool:
            listed = await api.get("/v1/generations", params={"limit": "4"})
            return sum("although its service" in item["text"] for item in listed.json["items"]) == 4

        await eventually(all_accepted, what="four requests that wait")
        asked = time.monotonic()
        os.kill(generation, signal.SIGTERM)
        answers = await asyncio.wait_for(asyncio.gather(*waiting), STOP_SECONDS)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert [status for status, _ in answers] == [202] * 4

    async def gone() -> bool:
        return stack.pid("generation") != generation

    await eventually(gone, within=STOP_SECONDS, what="another process of the service")
    assert time.monotonic() - asked < STOP_SECONDS
    for _, generation_id in answers:
        assert (await api.until_completed(generation_id, within=40))["status"] == "completed"
