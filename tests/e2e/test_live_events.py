"""Live events through the whole stack, and the commands of docs/live-events.md as they stand."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.chaos.processes import restarted
from tests.integration.live.running import listening
from tests.support.api import Api
from tests.support.pages import page, run_commands
from tests.support.prose import prose
from tests.support.stack import Stack

PAGE = page("docs/live-events.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    printed = run_commands(stack, tmp_path, PAGE)
    assert "event: generation.completed\n" in printed


async def test_generations_are_told_through_a_restart_of_the_broker(stack: Stack, api: Api) -> None:
    """No event is missed and none is told twice, by a client that comes back whenever it has to."""
    told: list[tuple[str, str]] = []
    seen: list[str] = []
    done = asyncio.Event()
    wanted: set[str] = set()

    async def listen(place: str) -> None:
        last: str | None = place
        while not done.is_set():
            async with listening(stack.url, headers, last, types="generation.*") as listener:
                while (block := await listener.next(60)) is not None:
                    seen.append(block.data["id"])
                    told.append((block.data["data"]["generation_id"], block.event))
                    if {one for one, event in told if event == "generation.completed"} >= wanted > set():
                        done.set()
                        return
                last = listener.last_event_id

    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with listening(stack.url, headers) as begun:
        assert begun.last_event_id
    listener = asyncio.create_task(listen(begun.last_event_id))
    made: list[str] = []
    voice_id = (await api.voices())[0]["id"]
    for number in range(12):
        if number == 6:
            await restarted(stack, "nats")
        text = f"Event number {number} of {stack.home.name}."
        answer = await api.post("/v1/generations", json={"text": text, "voice_id": voice_id})
        assert answer.status == 202, answer.content
        made.append(answer.json["id"])
    wanted |= set(made)
    async with asyncio.timeout(60):
        await listener
    assert len(seen) == len(set(seen))
    for generation_id in made:
        events = [event for one, event in told if one == generation_id]
        if events[0] == "generation.deferred":  # the quota could not be asked without the broker
            del events[0]
        assert events == ["generation.requested", "generation.completed"]


async def test_the_progress_of_a_job_is_told(stack: Stack, api: Api) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    voice_id = (await api.voices())[0]["id"]
    async with listening(stack.url, headers, types="generation.progress,generation.completed") as listener:
        answer = await api.post("/v1/generations", json={"text": prose(8_000), "voice_id": voice_id, "mode": "job"})
        assert answer.status == 202, answer.content
        told = []
        while (block := await listener.next(60)) is not None:
            if block.data["data"]["generation_id"] != answer.json["id"]:
                continue
            if block.event == "generation.completed":
                break
            told.append(block.data["data"])
    assert len(told) > 5
    assert all(one["chunks_done"] < one["chunks_total"] for one in told)
    assert [one["chunks_done"] for one in told] == sorted(one["chunks_done"] for one in told)
