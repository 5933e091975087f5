"""Audio that its generation was completed with is there for whoever asks, before storage has heard of it, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioStored
from services.storage import usecases
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Ledger, Studio, delivery, kept, serving

PARTS = ("audio", "alignment")


def path(event: AudioRendered, part: str) -> str:
    return f"/internal/generations/{event.generation_id}/{part}?made=true"


async def completed(studio: Studio) -> AudioRendered:
    """What a worker uploads that completes the generation itself."""
    event = await studio.upload(b"sound" * 100)
    event.completed = True
    return event


@pytest.fixture
async def hasty(deps: Deps) -> AsyncIterator[aiohttp.ClientSession]:
    """A service that waits for a moment only."""
    async with serving(replace(deps, arrival_seconds=0.1)) as session:
        yield session


@pytest.mark.parametrize("part", PARTS)
async def test_whoever_asks_before_the_event_came_waits_for_it(
    deps: Deps, studio: Studio, client: Client, part: str
) -> None:
    event = await completed(studio)
    asked = asyncio.create_task(client.get(path(event, part)))
    await asyncio.wait({asked}, timeout=0.1)
    assert not asked.done()
    await usecases.keep_audio(deps, delivery(event))
    answer = await asyncio.wait_for(asked, 5)
    assert answer.status == 200
    assert answer.body == b"sound" * 100 or part == "alignment"


@pytest.mark.parametrize("part", PARTS)
async def test_whoever_waits_too_long_is_told_when_to_ask_again(
    hasty: aiohttp.ClientSession, studio: Studio, part: str
) -> None:
    answer = await Client(hasty, studio.org_id).get(path(await completed(studio), part))
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "audio_on_its_way")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("part", PARTS)
async def test_nobody_waits_for_what_was_deleted_meanwhile(
    deps: Deps, studio: Studio, client: Client, part: str
) -> None:
    event = await completed(studio)
    asked = asyncio.create_task(client.get(path(event, part)))
    await asyncio.wait({asked}, timeout=0.1)
    await usecases.remove_audio(deps, delivery(studio.deletion(event)))
    assert (await asyncio.wait_for(asked, 2)).status == 404
    await usecases.keep_audio(deps, delivery(event))
    assert (await client.get(path(event, part))).status == 404


async def test_what_completes_its_generation_is_kept_without_further_news(
    deps: Deps, studio: Studio, ledger: Ledger, client: Client
) -> None:
    event = await completed(studio)
    await usecases.keep_audio(deps, delivery(event))
    assert await ledger.events(AudioStored) == []
    assert (await client.get(path(event, "audio"))).status == 200
    await kept(deps, studio, b"of an earlier release")
    assert len(await ledger.events(AudioStored)) == 1
