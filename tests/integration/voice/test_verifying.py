"""Recordings and previews that are lost or damaged: found, and made again where that is possible."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceUpdated
from libs.database import Database
from libs.ids import SYSTEM_ORG, new_id
from libs.objectstore import ObjectStore
from libs.objectstore.checking import Pace
from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.espeak import EspeakEngine
from services.voice.usecases import Deps, examine_voice, seed_system_voices
from services.voice.usecases.verifying import VoiceFlaw, order_preview, speak_preview, verify_voices
from tests.integration.voice.conftest import Client
from tests.integration.voice.workshop import PREVIEW, submissions, workshop
from tests.support.outbox import UNSENT, written_events
from tests.support.servers import Servers
from tests.unit.voice.wav import silence

FAST = 1e12


@pytest.fixture
async def administrator(servers: Servers, deps: Deps) -> AsyncIterator[Database]:
    """The service's database without row-level security."""
    url = str(make_url(servers.postgres_url).set(username="antiphon", database="antiphon_voice"))
    opened = Database(url, servers.secret("postgres_admin"), application="test", hooks=[UNSENT])
    yield opened
    await opened.close()


async def flaws(administrator: Database, objects: ObjectStore, voice_id: str) -> list[VoiceFlaw]:
    """What is wrong with a voice."""
    steps = [done async for done in verify_voices(administrator, objects, Pace(FAST))]
    return [flaw for flaw in steps[-1].flaws if str(flaw.voice.id) == voice_id]


async def examined(client: Client, deps: Deps, files: int = 2) -> str:
    """A voice that is ready, with a preview."""
    voice = await client.created(f"Anna {new_id()}", files=[silence(5 + number) for number in range(files)])
    await examine_next(client, deps, voice["id"])
    return str(voice["id"])


async def examine_next(client: Client, deps: Deps, voice_id: str) -> None:
    submitted = await submissions(deps.database, client.org_id, voice_id)
    await examine_voice(workshop(deps), submitted[-1])


async def keys(administrator: Database, voice_id: str) -> tuple[list[str], str]:
    """Where the recordings and the preview of a voice lie."""
    async with administrator.transaction() as session:
        which = {"id": UUID(voice_id)}
        samples = await session.execute(
            text("select object_key from voice_samples where voice_id = :id order by position"), which
        )
        preview = await session.execute(text("select preview_key from voices where id = :id"), which)
        return list(samples.scalars()), str(preview.scalar_one())


async def test_recordings_that_are_lost_or_damaged_are_found_and_cannot_be_made_again(
    client: Client, deps: Deps, administrator: Database, objects: ObjectStore
) -> None:
    voice_id = await examined(client, deps, files=3)
    assert await flaws(administrator, objects, voice_id) == []
    (missing, damaged, _), preview = await keys(administrator, voice_id)
    await objects.delete(missing)
    await objects.put(damaged, silence(30), "audio/wav")
    await objects.delete(preview)
    found = {flaw.object_key: flaw for flaw in await flaws(administrator, objects, voice_id)}
    assert {key: (flaw.condition, flaw.can_be_made) for key, flaw in found.items()} == {
        missing: ("missing", False),
        damaged: ("damaged", False),
        # Nor can what is made of them.
        preview: ("missing", False),
    }
    assert (await client.voice(voice_id))["status"] == "ready"


@pytest.mark.parametrize("how", ["missing", "damaged"])
async def test_the_preview_of_a_custom_voice_is_made_again_of_its_recordings(
    client: Client, deps: Deps, administrator: Database, objects: ObjectStore, how: str
) -> None:
    voice_id = await examined(client, deps)
    _, preview = await keys(administrator, voice_id)
    await (objects.delete(preview) if how == "missing" else objects.put(preview, b"ID3 an mp4", "audio/mpeg"))
    (flaw,) = await flaws(administrator, objects, voice_id)
    assert (flaw.object_key, flaw.condition, flaw.can_be_made) == (preview, how, True)
    assert await order_preview(administrator, flaw)
    assert not await order_preview(administrator, flaw), "it is under way"
    assert (await client.voice(voice_id))["status"] == "ready"
    await examine_next(client, deps, voice_id)
    assert await flaws(administrator, objects, voice_id) == []
    _, again = await keys(administrator, voice_id)
    assert (await objects.get(again), again != preview) == (PREVIEW, True)
    assert len(await written_events(deps.database, VoiceUpdated, org_id=client.org_id)) == 1
    assert not await order_preview(administrator, flaw)


async def test_the_preview_of_everybodys_voice_is_spoken_again(
    deps: Deps, administrator: Database, objects: ObjectStore
) -> None:
    entry = replace(SYSTEM_VOICES[0], name=f"Known only here {new_id().hex}")
    await seed_system_voices(deps, EspeakEngine(1), [entry])
    key, voice_id = f"voices/system/{entry.id}", str(entry.id)
    audio = await objects.get(key)
    engine = EspeakEngine(1)
    await engine.start()
    try:
        await objects.put(key, audio[:-1], "audio/mpeg")
        (damaged,) = await flaws(administrator, objects, voice_id)
        await objects.delete(key)
        (missing,) = await flaws(administrator, objects, voice_id)
        assert (damaged.condition, missing.condition, missing.can_be_made) == ("damaged", "missing", True)
        assert not await speak_preview(administrator, objects, engine, [], missing)
        assert await speak_preview(administrator, objects, engine, [entry], missing)
        assert await flaws(administrator, objects, voice_id) == []
        assert len(await objects.get(key)) == len(audio)
    finally:
        await engine.close()
        async with deps.database.transaction(SYSTEM_ORG) as session:
            await session.execute(text("delete from voices where id = :id"), {"id": entry.id})


async def test_of_previews_of_earlier_releases_it_is_known_whether_they_are_there(
    client: Client, deps: Deps, administrator: Database, objects: ObjectStore
) -> None:
    voice_id = await examined(client, deps)
    async with administrator.transaction() as session:
        await session.execute(text("update voices set preview_sha256 = null where id = :id"), {"id": UUID(voice_id)})
    assert await flaws(administrator, objects, voice_id) == []
    _, preview = await keys(administrator, voice_id)
    await objects.delete(preview)
    assert [flaw.condition for flaw in await flaws(administrator, objects, voice_id)] == ["missing"]


async def test_what_was_deleted_meanwhile_is_not_made_again(
    client: Client, deps: Deps, administrator: Database, objects: ObjectStore
) -> None:
    voice_id = await examined(client, deps)
    _, preview = await keys(administrator, voice_id)
    await objects.delete(preview)
    (flaw,) = await flaws(administrator, objects, voice_id)
    assert (await client.ask("DELETE", f"/v1/voices/{voice_id}")).status == 204
    assert not await order_preview(administrator, flaw)
    assert await flaws(administrator, objects, voice_id) == []
