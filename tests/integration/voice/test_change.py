"""What can be changed of a voice, and what others are told of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from libs.audio.intake import Examined, NotAudio
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceReady, VoiceRejected, VoiceUpdated
from libs.database import Database
from libs.objectstore import ObjectStore
from libs.speech.catalogue import SYSTEM_VOICES
from services.voice.domain import Matched, MatchingFailed, Reference
from services.voice.usecases import Deps, examine_voice, give_up
from tests.integration.voice.conftest import Client
from tests.integration.voice.seeded import ready_voice, seed_rows
from tests.integration.voice.workshop import PREVIEW, submissions, workshop
from tests.support.outbox import written_events

USUAL = {"speed": 1.0, "pitch": 0.0, "volume": 1.0}


async def _patch(client: Client, voice: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = await client.ask("PATCH", f"/v1/voices/{voice['id']}", json=changes)
    assert answer.status == 200, answer.body
    changed: dict[str, Any] = answer.body
    return changed


async def test_a_ready_voice_is_changed_and_told_with_a_higher_revision(
    client: Client, deps: Deps, database: Database
) -> None:
    voice = await ready_voice(deps, client, "Anna", description="Warm")
    changed = await _patch(client, voice, name=" Bea ", category="PODCAST", settings={"speed": 1.25})
    expected = {"name": "Bea", "category": "PODCAST", "category_label": "Podcast", "settings": USUAL | {"speed": 1.25}}
    assert changed == voice | expected | {"updated_at": changed["updated_at"]}
    assert changed["updated_at"] > voice["updated_at"]
    assert await client.voice(voice["id"]) == changed
    assert (await _patch(client, voice, description=None))["description"] is None
    first, second = await written_events(database, VoiceUpdated, org_id=client.org_id)
    assert (first.voice.name, first.voice.description, first.voice.category) == ("Bea", "Warm", "PODCAST")
    assert (json.loads(first.voice.settings), second.voice.description) == ({"speed": 1.25}, "")
    assert [first.voice.revision, second.voice.revision] == [2, 3]


async def test_what_changes_nothing_is_not_told(client: Client, deps: Deps, database: Database) -> None:
    voice = await ready_voice(deps, client, "Anna")
    unchanged: list[dict[str, Any]] = [
        {},
        {"name": "Anna"},
        {"settings": {"speed": 1}},
        {"settings": {}},
        {"description": " "},
    ]
    for changes in unchanged:
        assert await _patch(client, voice, **changes) == voice
    assert await written_events(database, VoiceUpdated, org_id=client.org_id) == []


async def test_a_voice_that_nobody_can_speak_with_is_changed_quietly(client: Client, database: Database) -> None:
    voice = await client.created("Anna")
    assert (await _patch(client, voice, name="Bea"))["status"] == "processing"
    assert await written_events(database, VoiceUpdated, org_id=client.org_id) == []


async def test_a_name_that_is_taken_stays_with_its_voice(client: Client, stranger: Client) -> None:
    first, second = await client.created("Anna"), await client.created("Bea")
    answer = await client.ask("PATCH", f"/v1/voices/{second['id']}", json={"name": "ANNA"})
    assert (answer.status, answer.body["code"]) == (409, "voice_name_taken")
    assert (await client.voice(second["id"]))["name"] == "Bea"
    assert (await _patch(client, first, name="ANNA"))["name"] == "ANNA"
    assert (await _patch(stranger, await stranger.created("Bea"), name="Anna"))["name"] == "Anna"


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "empty name": ({"name": " "}, "name"),
    "number as name": ({"name": 5}, "name"),
    "list as description": ({"description": []}, "description"),
    "no name": ({"name": None}, "name"),
    "unknown category": ({"category": "SINGING"}, "category"),
    "no language tag": ({"language": "English"}, "language"),
    "unspoken language": ({"language": "tlh"}, "language"),
    "unknown field": ({"nmae": "x"}, "nmae"),
    "too slow": ({"settings": {"speed": 0.2}}, "settings.speed"),
    "too low": ({"settings": {"pitch": -12.1}}, "settings.pitch"),
    "too loud": ({"settings": {"volume": 2.1}}, "settings.volume"),
    "unknown setting": ({"settings": {"tempo": 1}}, "settings.tempo"),
}


@pytest.mark.parametrize(("changes", "field"), CASES.values(), ids=CASES)
async def test_changes_that_are_not_valid_are_named(client: Client, changes: dict[str, Any], field: str) -> None:
    voice = await client.created("Anna")
    answer = await client.ask("PATCH", f"/v1/voices/{voice['id']}", json={"description": "changed"} | changes)
    assert (answer.status, answer.body["code"]) == (422, "invalid_request")
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert await client.voice(voice["id"]) == voice


async def test_settings_are_set_all_at_once_or_one_by_one(client: Client, deps: Deps, database: Database) -> None:
    voice = await ready_voice(deps, client, "Anna")
    path = f"/v1/voices/{voice['id']}/settings"
    assert (await client.get(path)).body == USUAL
    assert (await client.ask("PUT", path, json={"speed": 0.25, "pitch": -12})).body == USUAL | {
        "speed": 0.25,
        "pitch": -12.0,
    }
    await _patch(client, voice, settings={"volume": 2, "speed": None})
    assert (await client.get(path)).body == {"speed": 1.0, "pitch": -12.0, "volume": 2.0}
    assert (await client.ask("PUT", path, json={})).body == USUAL == (await client.get(path)).body
    told = await written_events(database, VoiceUpdated, org_id=client.org_id)
    expected = [{"speed": 0.25, "pitch": -12}, {"pitch": -12, "volume": 2}, {}]
    assert [json.loads(event.voice.settings) for event in told] == expected
    answer = await client.ask("PUT", path, json={"speed": 5})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "speed")


async def test_of_many_changes_at_once_none_is_lost(client: Client, deps: Deps, database: Database) -> None:
    voice = await ready_voice(deps, client, "Anna")
    changes: list[dict[str, Any]] = [
        {"name": "Bea"}, {"description": "x"}, {"category": "PODCAST"}, {"settings": {"speed": 2}},
        {"settings": {"pitch": 1}}, {"settings": {"volume": 0}},
    ]  # fmt: skip
    await asyncio.gather(*(_patch(client, voice, **one) for one in changes))
    now = await client.voice(voice["id"])
    assert (now["name"], now["description"], now["category"]) == ("Bea", "x", "PODCAST")
    assert now["settings"] == {"speed": 2.0, "pitch": 1.0, "volume": 0.0}
    told = await written_events(database, VoiceUpdated, org_id=client.org_id)
    assert sorted(event.voice.revision for event in told) == list(range(2, 8))


async def test_in_another_language_a_voice_is_plain_until_it_is_matched_again(
    client: Client, deps: Deps, database: Database, objects: ObjectStore
) -> None:
    voice = await client.created("Anna")
    [first] = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps), first)
    old = (await client.get(f"/v1/voices/{voice['id']}/preview")).headers["x-antiphon-handover"].split("objects/")[1]
    changed = await _patch(client, voice, language="it-IT")
    assert (changed["status"], changed["matching"]) == ("ready", None)
    _, second = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps), second)
    plain, matched = await written_events(database, VoiceUpdated, org_id=client.org_id)
    assert json.loads(plain.voice.engine_settings) == {"engine_voice": "roa/it", "language": "it-IT"}
    assert json.loads(matched.voice.engine_settings)["transform"]
    assert [plain.voice.revision, matched.voice.revision] == [2, 3]
    assert len(await written_events(database, VoiceReady, org_id=client.org_id)) == 1
    new = (await client.get(f"/v1/voices/{voice['id']}/preview")).headers["x-antiphon-handover"].split("objects/")[1]
    assert new != old
    assert not await objects.exists(old)
    assert await objects.get(new) == PREVIEW


async def test_a_ready_voice_stays_so_whatever_matching_it_again_ends_in(
    client: Client, deps: Deps, database: Database
) -> None:
    async def broken(_content: bytes) -> Examined:
        raise NotAudio("not this time")

    async def unmatched(_reference: Reference) -> Matched:
        raise MatchingFailed("not this time")

    voice = await client.created("Anna")
    [first] = await submissions(database, client.org_id, voice["id"])
    await examine_voice(workshop(deps), first)
    for language, again in (("it-IT", workshop(deps, broken)), ("fr-FR", workshop(deps, match=unmatched))):
        await _patch(client, voice, language=language)
        await examine_voice(again, (await submissions(database, client.org_id, voice["id"]))[-1])
        assert (await client.voice(voice["id"]))["status"] == "ready"
    await _patch(client, voice, language="de-DE")
    await give_up(workshop(deps), (await submissions(database, client.org_id, voice["id"]))[-1])
    assert (await client.voice(voice["id"]))["status"] == "ready"
    assert await written_events(database, VoiceRejected, org_id=client.org_id) == []


async def test_system_voices_are_read_and_not_changed(client: Client, deps: Deps) -> None:
    await seed_rows(deps)
    path = f"/v1/voices/{SYSTEM_VOICES[0].id}"
    before = await client.voice(str(SYSTEM_VOICES[0].id))
    assert (await client.get(f"{path}/settings")).body == USUAL
    assert (await client.get(f"{path}/samples")).body == {"items": []}
    audio, preview = await client.get(f"{path}/audio"), await client.get(f"{path}/preview")
    assert audio.headers["x-antiphon-handover"] == preview.headers["x-antiphon-handover"]
    for method, more, body in (
        ("PATCH", "", {"name": "Mine"}),
        ("PUT", "/settings", {"speed": 2}),
        ("DELETE", f"/samples/{SYSTEM_VOICES[0].id}", None),
    ):
        answer = await client.ask(method, path + more, json=body)
        assert (answer.status, answer.body["code"]) == (409, "system_voice")
    assert await client.voice(str(SYSTEM_VOICES[0].id)) == before


ODD: list[Any] = [
    None,
    True,
    -1,
    1e308,
    "",
    "\0",
    "\ud800",
    "x" * 10_000,
    [],
    [[]],
    {},
    {"speed": None},
    {"speed": "x"},
]


async def test_whatever_json_can_say_breaks_nothing(client: Client) -> None:
    voice = await client.created("Anna")
    path = f"/v1/voices/{voice['id']}"
    bodies = [
        *ODD,
        *({field: odd} for field in ("name", "description", "category", "language", "settings") for odd in ODD),
    ]
    bodies += [{"settings": {name: odd}} for name in USUAL for odd in ODD]
    raw = [json.dumps(body).encode() for body in bodies]
    raw += [b"", b"{", b"\xff", b"[" * 10_000, b'{"settings": {"speed": NaN}}', b'{"settings": {"pitch": 1e999}}']
    for body in raw:
        for method, more in (("PATCH", ""), ("PUT", "/settings")):
            answer = await client.ask(method, path + more, data=body, content_type="application/json")
            assert answer.status in (200, 400, 422), (method, body[:100], answer.status, answer.body)
    now = await client.voice(voice["id"])
    assert all(isinstance(value, float) for value in now["settings"].values())
