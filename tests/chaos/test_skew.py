"""The clock of one service is two hours off: nothing expires early, nothing is refused, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from services.generation.adapters.quota import SPEAKING_SECONDS
from tests.chaos.books import completed_once_each, database
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.skewed.stack import skewed_stack
from tests.support.stack import Stack

HOURS = 3600.0
GENERATIONS = 20
ALWAYS = [("analytics", 2 * HOURS), ("worker", -2 * HOURS)]
LONG = [
    (name, hours * HOURS)
    for name in ("gateway", "voice", "generation", "worker", "storage", "embedding", "analytics")
    for hours in (-2, 2)
    if (name, hours * HOURS) not in ALWAYS
]
_WRONGLY_DATED = (
    "select id, created_at from generations where abs(extract(epoch from clock_timestamp() - created_at)) > 600"
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "seconds"), [*ALWAYS, *(pytest.param(*one, marks=pytest.mark.long) for one in LONG)])
async def test_a_clock_that_is_two_hours_off_costs_nothing(name: str, seconds: float) -> None:
    async with skewed_stack(name, seconds) as stack:
        assert "this machine's clock is not the database's" in stack.log(name), "its clock is right"
        async with database(stack, "analytics") as analytics:
            # With a limit, so that every request has to hold what it is going to use.
            await analytics.execute("update subscriptions set plan = 'pro'")
        async with Api(stack.url, stack.api_key) as api:
            added = await api.upload_voice("A voice that is seconds old")
            assert added.status == 201, added.content
            answers = await asyncio.gather(
                *(api.speak(f"Sentence number {number}.", added.json["id"]) for number in range(GENERATIONS))
            )
            assert [answer["status"] for answer in answers] == ["completed"] * GENERATIONS
            ids = [str(answer["id"]) for answer in answers]
            await completed_once_each(stack, api, ids, within=60)
            await holds_last_an_hour(stack, api, added.json["id"])
            usage = await api.get("/v1/usage")
            assert usage.json["period"]["characters_used"] == len("Five.") + sum(
                len(answer["text"]) for answer in answers
            )
            found = await api.post("/v1/search", json={"query": "sentence"})
            assert found.status == 200, found.content
            assert (await api.delete(f"/v1/generations/{ids[0]}")).status == 204
            await nothing_is_left_of(api, ids[0])
        async with database(stack, "generation") as generation:
            # Dates that clients see are right, whoever wrote them.
            assert await generation.fetch(_WRONGLY_DATED) == []
            assert await generation.fetchval("select count(*) from generation_attempts where status = 'failed'") == 0


HELD_SECONDS = 60 + SPEAKING_SECONDS
"""As long as an interactive request may wait, and be spoken."""


async def holds_last_an_hour(stack: Stack, api: Api, voice_id: str) -> None:
    """Ask for speech while nobody speaks: what is set aside for it is counted, and for an hour by the one clock."""
    worker = stack.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        answer = await api.post("/v1/generations", json={"text": "Five.", "voice_id": voice_id})
        assert answer.status == 202, answer.content

        async def is_counted() -> bool:
            # At once, or when the quota is asked again: on a busy machine answers come too late, and tries of an event
            # are up to half a minute apart.
            usage = await api.get("/v1/usage")
            return bool(usage.json["period"]["characters_reserved"] == len("Five."))

        await eventually(is_counted, within=60, what="the characters that are set aside")
        async with database(stack, "analytics") as analytics:
            query = "select extract(epoch from expires_at - clock_timestamp()) from reservations where status = 'held'"
            (held,) = await analytics.fetch(query)
        assert HELD_SECONDS - 60 < held[0] <= HELD_SECONDS + 1
    finally:
        os.kill(worker, signal.SIGCONT)
    assert (await api.until_completed(answer.json["id"], within=30))["status"] == "completed"
    assert (await api.delete(f"/v1/generations/{answer.json['id']}")).status == 204


async def nothing_is_left_of(api: Api, generation_id: str) -> None:
    """Wait until a deleted generation is gone."""

    async def is_gone() -> bool:
        return (await api.get(f"/v1/generations/{generation_id}/audio")).status == 404

    await eventually(is_gone, what="the end of a deleted generation")
