"""From submitted recordings to a voice that is ready, or rejected with reasons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import pytest

from libs.audio.intake import Examined, IntakeUnavailable, NotAudio
from libs.contracts.antiphon.voice.v1.events_pb2 import (
    VoiceDeleted,
    VoiceReady,
    VoiceRejected,
    VoiceSubmitted,
    VoiceUpdated,
)
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Delivery, Permanent
from libs.objectstore import ObjectMissing, ObjectStore
from services.storage.domain.keys import require_own
from services.voice.domain import Matched, MatchingFailed, Reference, object_key
from services.voice.usecases import Deps, examine_voice, give_up
from tests.integration.voice.conftest import Client
from tests.integration.voice.workshop import (
    CLOSER,
    FIT,
    MATCHED,
    PREVIEW,
    found_good,
    matched,
    submissions,
    workshop,
)
from tests.support.outbox import written_events
from tests.unit.voice.reports import report
from tests.unit.voice.wav import silence


async def found_short(_content: bytes) -> Examined:
    return Examined(report(speech_seconds=4.25, speech_share=0.5), bytes(48_000))


async def not_audio(_content: bytes) -> Examined:
    raise NotAudio("this is no audio")


async def unmatched(_reference: Reference) -> Matched:
    raise MatchingFailed("no voice could be measured")


async def _samples(client: Client, voice_id: str) -> list[str]:
    items = (await client.get(f"/v1/voices/{voice_id}/samples")).body["items"]
    return [item["id"] for item in items]


async def test_good_recordings_become_a_matched_voice(
    client: Client, deps: Deps, database: Database, objects: ObjectStore
) -> None:
    voice = await client.created("Anna", files=[silence(5), silence(6)], language="de-DE")
    [submitted] = await submissions(database, client.org_id, voice["id"])
    heard: list[Reference] = []

    async def match(reference: Reference) -> Matched:
        heard.append(reference)
        return await matched(reference)

    await examine_voice(workshop(deps, match=match), submitted)
    [reference] = heard
    assert (reference.language, reference.sample_rate, len(reference.pcm)) == ("de-DE", 24_000, 2 * (48_000 - 24_000))

    now = await client.voice(voice["id"])
    assert (now["status"], now["reasons"], now["sample_count"]) == ("ready", [], 2)
    assert (now["quality"]["files"], now["quality"]["speech_seconds"]) == (2, 30.0)
    assert now["matching"]["method"] == "timbre-matched"
    assert (now["matching"]["before"], now["matching"]["after"]) == (
        FIT | {"speaking_rate_ratio": 1.2},
        CLOSER | {"speaking_rate_ratio": 1.0},
    )
    assert now["matching"]["steps"] == ["variant", "pitch", "spectral_transfer"]
    for sample in (await client.get(f"/v1/voices/{voice['id']}/samples")).body["items"]:
        assert (sample["duration_seconds"], sample["quality"]["snr_db"], sample["problem"]) == (20.0, 40.0, None)

    [ready] = await written_events(database, VoiceReady, org_id=client.org_id)
    assert (ready.voice.name, ready.voice.revision, ready.voice.engine) == ("Anna", 1, "espeak-ng")
    assert json.loads(ready.voice.engine_settings) == MATCHED | {"language": "de-DE"}
    answer = await client.get(f"/v1/voices/{voice['id']}/preview")
    key = _preview_key(client, voice, submitted)
    assert answer.headers["x-antiphon-handover"] == f"storage /internal/objects/{key}"
    assert await objects.get(key) == PREVIEW

    assert (await client.ask("DELETE", f"/v1/voices/{voice['id']}")).status == 204
    [deleted] = await written_events(database, VoiceDeleted, org_id=client.org_id)
    assert key in deleted.object_keys
    assert len(deleted.object_keys) == 3
    require_own("voices", client.org_id, deleted.object_keys)


def _preview_key(client: Client, voice: Mapping[str, str], submitted: Delivery[VoiceSubmitted]) -> str:
    return object_key(UUID(voice["id"]), client.org_id, submitted.event_id)


async def test_recordings_that_are_not_good_enough_are_rejected_with_what_was_measured(
    client: Client, deps: Deps, database: Database
) -> None:
    voice = await client.created("Short")
    [submitted] = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps, found_short), submitted)
    now = await client.voice(voice["id"])
    [reason] = now["reasons"]
    assert (now["status"], reason["message"]) == ("rejected", "4.2 s of speech; at least 10 s are needed")
    assert (now["quality"]["speech_seconds"], now["matching"]) == (4.25, None)
    [rejected] = await written_events(database, VoiceRejected, org_id=client.org_id)
    assert list(rejected.reasons) == [reason["message"]]
    assert await written_events(database, VoiceReady, org_id=client.org_id) == []
    assert [item["id"] for item in (await client.get("/v1/voices", status="rejected")).body["items"]] == [voice["id"]]


async def test_what_cannot_be_decoded_is_rejected_by_name(client: Client, deps: Deps, database: Database) -> None:
    voice = await client.created("Noise")
    [submitted] = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps, not_audio), submitted)
    now = await client.voice(voice["id"])
    [sample_id] = await _samples(client, voice["id"])
    expected = {"code": "not_decoded", "message": "this is no audio", "sample_id": sample_id}
    assert (now["status"], now["reasons"]) == ("rejected", [expected])
    [sample] = (await client.get(f"/v1/voices/{voice['id']}/samples")).body["items"]
    assert sample["problem"] == "this is no audio"


async def test_a_voice_that_cannot_be_matched_is_spoken_plainly_and_says_so(
    client: Client, deps: Deps, database: Database
) -> None:
    voice = await client.created("Plain", language="ru-RU")
    [submitted] = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps, match=unmatched), submitted)
    now = await client.voice(voice["id"])
    assert now["status"] == "ready"
    assert (now["matching"]["method"], now["matching"]["reason"]) == ("plain", "no voice could be measured")
    [ready] = await written_events(database, VoiceReady, org_id=client.org_id)
    assert json.loads(ready.voice.engine_settings) == {"engine_voice": "zle/ru", "language": "ru-RU"}
    preview, audio = [await client.get(f"/v1/voices/{voice['id']}/{what}") for what in ("preview", "audio")]
    assert preview.headers["x-antiphon-handover"] == audio.headers["x-antiphon-handover"]


async def test_delivered_again_and_at_once_it_is_told_once(
    client: Client, deps: Deps, database: Database, objects: ObjectStore
) -> None:
    voice = await client.created("Once")
    [submitted] = await submissions(database, client.org_id, voice["id"])
    await asyncio.gather(*(examine_voice(workshop(deps), submitted) for _ in range(4)))
    now = await client.voice(voice["id"])
    await examine_voice(workshop(deps, not_audio), submitted)
    assert await client.voice(voice["id"]) == now
    assert len(await written_events(database, VoiceReady, org_id=client.org_id)) == 1
    assert await objects.exists(_preview_key(client, voice, submitted))


MOMENTS = ("before", "while it is examined", "while it is matched", "after")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_of_a_voice_that_is_deleted_nothing_is_left(
    client: Client, deps: Deps, database: Database, objects: ObjectStore, moment: str
) -> None:
    voice = await client.created("Short-lived")
    [submitted] = await submissions(database, client.org_id, voice["id"])

    async def delete(now: str) -> None:
        if now == moment:
            assert (await client.ask("DELETE", f"/v1/voices/{voice['id']}")).status == 204

    async def examine(content: bytes) -> Examined:
        await delete(MOMENTS[1])
        return await found_good(content)

    async def match(reference: Reference) -> Matched:
        await delete(MOMENTS[2])
        return await matched(reference)

    await delete(MOMENTS[0])
    await examine_voice(workshop(deps, examine, match), submitted)
    await delete(MOMENTS[3])
    assert (await client.get(f"/v1/voices/{voice['id']}")).status == 404
    assert len(await written_events(database, VoiceReady, org_id=client.org_id)) == (moment == "after")
    [deleted] = await written_events(database, VoiceDeleted, org_id=client.org_id)
    preview = _preview_key(client, voice, submitted)
    # What the service has not removed itself is named to whoever removes the rest.
    assert (preview in deleted.object_keys) == (moment == "after")
    assert await objects.exists(preview) == (moment == "after")
    # The event comes again, as after a crash between putting the preview and recording it.
    await objects.put(preview, PREVIEW, "audio/mpeg")
    await examine_voice(workshop(deps), submitted)
    assert not await objects.exists(preview)


async def test_what_was_changed_while_it_was_examined_is_told(client: Client, deps: Deps, database: Database) -> None:
    voice = await client.created("Before")
    [submitted] = await submissions(database, client.org_id, voice["id"])

    async def match(reference: Reference) -> Matched:
        changed = {"name": "After", "settings": {"speed": 1.5}}
        assert (await client.ask("PATCH", f"/v1/voices/{voice['id']}", json=changed)).status == 200
        return await matched(reference)

    await examine_voice(workshop(deps, match=match), submitted)
    now = await client.voice(voice["id"])
    assert (now["name"], now["status"], now["settings"]["speed"]) == ("After", "ready", 1.5)
    [ready] = await written_events(database, VoiceReady, org_id=client.org_id)
    assert (ready.voice.name, json.loads(ready.voice.settings)) == ("After", {"speed": 1.5})
    assert await written_events(database, VoiceUpdated, org_id=client.org_id) == []


async def test_another_language_meanwhile_is_matched_in_its_turn(
    client: Client, deps: Deps, database: Database, objects: ObjectStore
) -> None:
    voice = await client.created("Polyglot")
    [first] = await submissions(database, client.org_id, voice["id"])

    async def match(reference: Reference) -> Matched:
        if reference.language == "en-US":
            await client.ask("PATCH", f"/v1/voices/{voice['id']}", json={"language": "fr-FR"})
        return await matched(reference)

    await examine_voice(workshop(deps, match=match), first)
    assert (await client.voice(voice["id"]))["status"] == "processing"
    assert not await objects.exists(_preview_key(client, voice, first))
    _, second = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps, match=match), second)
    [ready] = await written_events(database, VoiceReady, org_id=client.org_id)
    assert json.loads(ready.voice.engine_settings)["language"] == "fr-FR"
    assert (await client.voice(voice["id"]))["status"] == "ready"


async def test_when_nothing_can_be_examined_it_is_tried_again_and_then_rejected(
    client: Client, deps: Deps, database: Database, objects: ObjectStore
) -> None:
    async def unavailable(_content: bytes) -> Examined:
        raise IntakeUnavailable("no process")

    voice = await client.created("Unlucky")
    [submitted] = await submissions(database, client.org_id, voice["id"])
    with pytest.raises(IntakeUnavailable):
        await examine_voice(workshop(deps, unavailable), submitted)
    assert (await client.voice(voice["id"]))["status"] == "processing"
    [sample_id] = await _samples(client, voice["id"])
    await objects.delete(f"voices/orgs/{client.org_id}/{voice['id']}/{sample_id}")
    with pytest.raises(ObjectMissing):
        await examine_voice(workshop(deps), submitted)
    for _ in range(2):
        await give_up(workshop(deps), submitted)
    now = await client.voice(voice["id"])
    assert (now["status"], now["reasons"][0]["code"]) == ("rejected", "not_examined")
    assert len(await written_events(database, VoiceRejected, org_id=client.org_id)) == 1


async def test_an_event_of_no_voice_is_not_tried_again(deps: Deps) -> None:
    for event in (VoiceSubmitted(), VoiceSubmitted(org_id=str(new_id()), voice_id="me")):
        with pytest.raises(Permanent):
            await examine_voice(workshop(deps), Delivery(event, str(new_id()), 1))
    unknown = VoiceSubmitted(org_id=str(new_id()), voice_id=str(new_id()))
    await examine_voice(workshop(deps), Delivery(unknown, str(new_id()), 1))
    await give_up(workshop(deps), Delivery(unknown, str(new_id()), 1))


async def test_nobody_else_s_event_changes_a_voice(
    client: Client, stranger: Client, deps: Deps, database: Database
) -> None:
    voice = await client.created("Mine")
    [submitted] = await submissions(database, client.org_id, voice["id"])
    forged = VoiceSubmitted(org_id=str(stranger.org_id), voice_id=voice["id"])
    await examine_voice(workshop(deps), replace(submitted, event=forged))
    await give_up(workshop(deps), replace(submitted, event=forged))
    assert (await client.voice(voice["id"]))["status"] == "processing"
