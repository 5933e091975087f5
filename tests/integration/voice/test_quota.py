"""A plan's voices: set aside before they are made, and given back when they are not."""

from __future__ import annotations

import asyncio

from libs.ids import new_id
from services.voice.usecases import Deps
from tests.integration.voice.conftest import Client, Plans, serving


async def test_of_voices_made_at_once_as_many_are_as_the_plan_has(deps: Deps, plans: Plans) -> None:
    plans.most = 2
    async with serving(deps) as http:
        client = Client(http, new_id())
        answers = await asyncio.gather(*(client.create(f"Voice {number}") for number in range(5)))
        assert sorted(answer.status for answer in answers) == [201, 201, 402, 402, 402]
        refused = next(answer.body for answer in answers if answer.status == 402)
        assert (refused["code"], refused["quota"], refused["limit"]) == ("quota_exceeded", "custom_voices", 2)
        assert (refused["remaining"], refused["resets_at"]) == (0, None)
        made = [answer.body["id"] for answer in answers if answer.status == 201]
        assert plans.held == set(made)


async def test_a_voice_that_cannot_be_made_gives_its_place_back(deps: Deps, plans: Plans) -> None:
    async with serving(deps) as http:
        client = Client(http, new_id())
        await client.created("Taken")
        assert len(plans.held) == 1
        assert (await client.create("Taken")).status == 409
        assert len(plans.held) == 1
