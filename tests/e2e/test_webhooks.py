"""Webhooks through the whole stack, and the commands of docs/webhooks.md as they stand."""

from __future__ import annotations

import json
from pathlib import Path

from services.gateway.domain.webhooks import DELAYS, ErrorKind
from tests.chaos.processes import restarted
from tests.integration.live.receiving import Received, receiving
from tests.support.api import Api
from tests.support.pages import page, run_commands
from tests.support.polling import eventually
from tests.support.stack import Stack

PAGE = page("docs/webhooks.md")


def test_the_commands_work_as_written(stack: Stack, tmp_path: Path) -> None:
    run_commands(stack, tmp_path, PAGE)
    assert json.loads((tmp_path / "told.json").read_text())["type"] == "webhook.test"


async def test_generations_are_told_through_restarts_of_broker_and_gateway(stack: Stack, api: Api) -> None:
    voice_id = (await api.voices())[0]["id"]
    async with receiving() as receiver:
        answer = await api.post("/v1/webhooks", json={"url": receiver.url, "events": ["generation.completed"]})
        assert answer.status == 201, answer.content
        made: list[str] = []
        for number in range(9):
            if number in (3, 6):
                await restarted(stack, {3: "nats", 6: "gateway"}[number])
            text = f"Webhook number {number} of {stack.home.name}."
            answered = await api.post("/v1/generations", json={"text": text, "voice_id": voice_id})
            assert answered.status == 202, answered.content
            made.append(answered.json["id"])

        def told() -> list[Received]:
            """What was told of these generations: one that another test left under way may have completed since."""
            return [one for one in receiver.received if one.json["data"]["generation_id"] in made]

        async def all_told() -> bool:
            return {one.json["data"]["generation_id"] for one in told()} == set(made)

        await eventually(all_told, within=60, what="every generation")
        assert all(one.is_signed_by(answer.json["secret"]) for one in receiver.received)
        assert len({one.id for one in told()}) == len(made)
    deleted = await api.delete(f"/v1/webhooks/{answer.json['id']}")
    assert deleted.status == 204


def test_the_page_tells_of_every_kind_of_error_and_every_delay() -> None:
    assert not [kind for kind in ErrorKind if f"`{kind}`" not in PAGE]
    assert len(DELAYS) + 1 == 11
