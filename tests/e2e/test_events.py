"""Operators replay and watch events of the running system."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.chaos.books import database
from tests.support.api import Api
from tests.support.polling import eventually
from tests.support.stack import ROOT, Stack

TEXT = "This sentence is told to everybody twice and counted once."


async def test_a_replay_tells_everything_again_and_changes_nothing(stack: Stack, api: Api) -> None:
    spoken = await api.speak(TEXT, (await api.voices())[0]["id"])

    async def counted() -> bool:
        async with database(stack, "analytics") as connection:
            found = await connection.fetchval("select count(*) from usage_metrics where resource_id = $1", spoken["id"])
        return bool(found == 2)

    await eventually(counted, what="the usage of a generation")
    planned = stack.run("events", "replay", "--since", "1h", "--type", "GenerationCompleted", "--dry-run")
    assert "would replay" in planned.stdout
    done = stack.run("events", "replay", "--since", "1h")
    assert done.stdout.splitlines()[-1].startswith("replayed ")
    assert "antiphon.generation.v1.GenerationCompleted" in done.stdout
    only = stack.run("events", "replay", "--since", "1h", "--service", "generation", "--consumer", "analytics")
    assert only.returncode == 0
    # What comes after the replay is applied after it.
    after = await api.speak("And another one.", spoken["voice_id"])

    async def after_counted() -> bool:
        async with database(stack, "analytics") as connection:
            found = await connection.fetchval("select count(*) from usage_metrics where resource_id = $1", after["id"])
        return bool(found == 2)

    await eventually(after_counted, what="the usage of the one after")
    assert await counted()


async def test_events_are_watched_as_json(stack: Stack, api: Api) -> None:
    spoken = await api.speak("Watched while it happens.", (await api.voices())[0]["id"])
    arguments = ("-m", "deploy.cli.main", "events", "tail", "--since", "10m", "--type", "GenerationCompleted")
    watching = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=dict(stack.environment), stdout=asyncio.subprocess.PIPE
    )
    try:
        await asyncio.wait_for(until_seen(watching, spoken["id"]), 30)
    finally:
        watching.terminate()
        await watching.communicate()


async def until_seen(watching: asyncio.subprocess.Process, generation_id: str) -> None:
    assert watching.stdout is not None
    while line := await watching.stdout.readline():
        event = json.loads(line)
        assert event["type"] == "antiphon.generation.v1.GenerationCompleted"
        if event["aggregate"] == generation_id:
            assert event["data"]["text"] == "Watched while it happens."
            return
    raise AssertionError("the event never came")


def test_a_wrong_time_and_a_wrong_type_are_said(stack: Stack) -> None:
    assert "ISO time" in stack.run("events", "replay", "--since", "yesterday", check=False).stderr
    assert "There is no event type" in stack.run("events", "tail", "--type", "Nothing", check=False).stderr
