"""The recordings of a voice: listed, played, and deleted without losing what it was made of."""

from __future__ import annotations

import asyncio
from typing import Any

from libs.audio.intake import Examined
from libs.database import Database
from libs.objectstore import ObjectStore
from services.voice.usecases import Deps, examine_voice
from tests.integration.voice.conftest import Client
from tests.integration.voice.workshop import found_good, submissions, workshop
from tests.unit.voice.reports import report
from tests.unit.voice.wav import silence


async def _samples(client: Client, voice: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/voices/{voice['id']}/samples")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.body["items"]
    return items


async def test_samples_are_listed_and_played(client: Client) -> None:
    voice = await client.created("Anna", files=[silence(5), silence(6)])
    first, second = await _samples(client, voice)
    assert (first["content_type"], first["size_bytes"], first["quality"]) == ("audio/wav", len(silence(5)), None)
    assert second["size_bytes"] == len(silence(6))
    for method in ("GET", "HEAD"):
        answer = await client.ask(method, second["audio_url"])
        expected = f"storage /internal/objects/voices/orgs/{client.org_id}/{voice['id']}/{second['id']}"
        assert (answer.status, answer.headers["x-antiphon-handover"]) == (200, expected)
    for path in ("no-id", voice["id"]):
        answer = await client.get(f"/v1/voices/{voice['id']}/samples/{path}/audio")
        assert (answer.status, answer.body["code"]) == (404, "sample_not_found")


async def test_a_rejected_voice_is_examined_anew_without_the_recording_that_is_to_blame(
    client: Client, deps: Deps, database: Database, objects: ObjectStore
) -> None:
    good, bad = silence(5), silence(6)

    async def examine(content: bytes) -> Examined:
        return Examined(report(clipped_share=0.2 if content == bad else 0.0), bytes(100))

    voice = await client.created("Anna", files=[bad, good])
    [first] = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps, examine), first)
    rejected = await client.voice(voice["id"])
    [reason] = rejected["reasons"]
    assert (rejected["status"], reason["code"]) == ("rejected", "clipping")
    path = f"/v1/voices/{voice['id']}/samples/{reason['sample_id']}"
    assert (await client.ask("DELETE", path)).status == 204
    assert (await client.ask("DELETE", path)).status == 404
    waiting = await client.voice(voice["id"])
    assert (waiting["status"], waiting["reasons"], waiting["sample_count"]) == ("processing", [], 1)
    _, second = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps, examine), second)
    assert (await client.voice(voice["id"]))["status"] == "ready"
    assert not await objects.exists(f"voices/orgs/{client.org_id}/{voice['id']}/{reason['sample_id']}")
    [left] = await _samples(client, voice)
    audio = await client.get(f"/v1/voices/{voice['id']}/audio")
    assert audio.headers["x-antiphon-handover"].endswith(left["id"])


async def test_the_last_recording_and_one_that_is_needed_stay(client: Client, deps: Deps, database: Database) -> None:
    async def examine(content: bytes) -> Examined:
        return Examined(report(speech_seconds=4.25 if len(content) < 160_000 else 9.0), bytes(100))

    voice = await client.created("Anna", files=[silence(4), silence(6)])
    [submitted] = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps, examine), submitted)
    assert (await client.voice(voice["id"]))["status"] == "ready"
    short, long = await _samples(client, voice)
    answer = await client.ask("DELETE", f"/v1/voices/{voice['id']}/samples/{long['id']}")
    assert (answer.status, answer.body["code"]) == (409, "sample_needed")
    assert "4.2 s of speech; at least 10 s are needed" in answer.body["detail"]
    assert await _samples(client, voice) == [short, long]
    alone = await client.created("Bea")
    [only] = await _samples(client, alone)
    answer = await client.ask("DELETE", f"/v1/voices/{alone['id']}/samples/{only['id']}")
    assert (answer.status, answer.body["code"]) == (409, "last_sample")
    assert len(await submissions(database, client.org_id, voice["id"])) == 1


async def test_of_two_recordings_deleted_at_once_one_stays(client: Client) -> None:
    voice = await client.created("Anna", files=[silence(5), silence(6)])
    paths = [f"/v1/voices/{voice['id']}/samples/{sample['id']}" for sample in await _samples(client, voice)]
    answers = await asyncio.gather(*(client.ask("DELETE", path) for path in paths))
    assert sorted(answer.status for answer in answers) == [204, 409]
    assert (await client.voice(voice["id"]))["sample_count"] == 1


async def test_a_recording_deleted_while_it_is_examined_is_not_matched(
    client: Client, deps: Deps, database: Database
) -> None:
    voice = await client.created("Anna", files=[silence(5), silence(6)])
    first_sample, _ = await _samples(client, voice)
    [first] = await submissions(database, client.org_id, voice["id"])

    async def examine(content: bytes) -> Examined:
        if content == silence(6):
            await client.ask("DELETE", f"/v1/voices/{voice['id']}/samples/{first_sample['id']}")
        return await found_good(content)

    await examine_voice(workshop(deps, examine), first)
    assert (await client.voice(voice["id"]))["status"] == "processing"
    _, second = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps), second)
    now = await client.voice(voice["id"])
    assert (now["status"], now["quality"]["files"]) == ("ready", 1)
