from __future__ import annotations

import asyncio

from sqlalchemy import text

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.database import Database
from libs.objectstore import ObjectStore
from libs.speech.catalogue import SYSTEM_VOICES
from services.storage.domain.keys import require_own
from services.voice.usecases import Deps
from tests.integration.voice.conftest import Client
from tests.integration.voice.seeded import seed_rows
from tests.support.outbox import written_events
from tests.unit.voice.wav import silence


async def test_a_deleted_voice_is_gone_and_its_objects_are_named_to_others(
    client: Client, database: Database, objects: ObjectStore
) -> None:
    voice = await client.created("Short-lived", files=[silence(5), silence(6)])
    samples = (await client.get(f"/v1/voices/{voice['id']}/samples")).body["items"]
    answer = await client.ask("DELETE", f"/v1/voices/{voice['id']}")
    assert (answer.status, answer.body) == (204, None)
    for method, path in (("GET", ""), ("GET", "/audio"), ("GET", "/samples"), ("DELETE", "")):
        assert (await client.ask(method, f"/v1/voices/{voice['id']}{path}")).status == 404
    assert (await client.get("/v1/voices", status="processing")).body["items"] == []
    async with database.transaction(client.org_id) as session:
        assert (await session.execute(text("select count(*) from voice_samples"))).scalar_one() == 0
    [deleted] = await written_events(database, VoiceDeleted, org_id=client.org_id)
    keys = [f"voices/orgs/{client.org_id}/{voice['id']}/{sample['id']}" for sample in samples]
    assert (deleted.voice_id, list(deleted.object_keys)) == (voice["id"], sorted(keys))
    require_own("voices", client.org_id, deleted.object_keys)
    # Removing the objects is for whoever hears of it: the caller does not wait for the object store.
    assert [await objects.exists(key) for key in keys] == [True, True]


async def test_of_many_deletions_at_once_one_is_told(client: Client, database: Database) -> None:
    voice = await client.created("Contested")
    answers = await asyncio.gather(*(client.ask("DELETE", f"/v1/voices/{voice['id']}") for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [204] + [404] * 7
    assert len(await written_events(database, VoiceDeleted, org_id=client.org_id)) == 1


async def test_system_voices_stay(client: Client, database: Database, deps: Deps) -> None:
    await seed_rows(deps)
    path = f"/v1/voices/{SYSTEM_VOICES[0].id}"
    answer = await client.ask("DELETE", path)
    assert (answer.status, answer.body["code"]) == (409, "system_voice")
    assert (await client.get(path)).status == 200
    assert await written_events(database, VoiceDeleted, org_id=client.org_id) == []
