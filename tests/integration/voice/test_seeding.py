from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated, VoiceReady
from libs.database import Database
from libs.ids import SYSTEM_ORG, new_id
from libs.objectstore import ObjectStore, ObjectStoreAddress, ObjectStoreUnavailable
from libs.speech.catalogue import SYSTEM_VOICES
from libs.speech.catalogue.voice import SystemVoice
from libs.speech.engine import Rendered, RenderJob, VoiceProfile
from libs.speech.espeak import EspeakEngine
from services.voice import domain
from services.voice.usecases import Deps, seed_system_voices
from tests.integration.voice.conftest import Client
from tests.support.outbox import written_events


@pytest.fixture
async def catalogue(database: Database) -> AsyncIterator[list[SystemVoice]]:
    """Three voices that only this test knows: a voice's id is made from its name."""
    known_only_here = new_id().hex
    entries = [replace(entry, name=f"{entry.name} {known_only_here}") for entry in SYSTEM_VOICES[:3]]
    yield entries
    async with database.transaction(SYSTEM_ORG) as session:
        await session.execute(text("delete from voices where name like :like"), {"like": f"%{known_only_here}"})


class CountingEngine(EspeakEngine):
    """The real engine; counts how often it was needed."""

    def __init__(self) -> None:
        super().__init__(2)
        self.starts = 0
        self.spoken: list[str] = []

    async def start(self) -> None:
        self.starts += 1
        await super().start()

    async def render(self, job: RenderJob) -> Rendered:
        self.spoken.append(job.text)
        return await super().render(job)


async def _ready_events(database: Database, entries: list[SystemVoice]) -> list[VoiceReady]:
    ids = {str(entry.id) for entry in entries}
    return [event for event in await written_events(database, VoiceReady, org_id=SYSTEM_ORG) if event.voice_id in ids]


async def _created_ids(database: Database, entries: list[SystemVoice]) -> list[str]:
    ids = {str(entry.id) for entry in entries}
    created = await written_events(database, VoiceCreated, org_id=SYSTEM_ORG)
    return sorted(event.voice_id for event in created if event.voice_id in ids)


async def test_every_voice_gets_a_spoken_preview_and_is_told_of(
    client: Client, deps: Deps, database: Database, objects: ObjectStore, catalogue: list[SystemVoice]
) -> None:
    engine = CountingEngine()
    changed = await seed_system_voices(deps, engine, catalogue)
    assert {voice.id for voice in changed} == {entry.id for entry in catalogue}
    assert engine.process_ids == frozenset()
    for entry in catalogue:
        preview = await objects.get(f"voices/system/{entry.id}")
        assert preview[0] == 0xFF  # an mp3 frame
        assert len(preview) > 64_000 / 8 * 2  # at least two seconds
        listed = (await client.get(f"/v1/voices/{entry.id}")).body
        assert (listed["name"], listed["category"], listed["status"]) == (entry.name, entry.category, "ready")
    assert await _created_ids(database, catalogue) == sorted(str(entry.id) for entry in catalogue)
    events = {event.voice_id: event for event in await _ready_events(database, catalogue)}
    for entry in catalogue:
        snapshot = events[str(entry.id)].voice
        assert (snapshot.org_id, snapshot.engine, snapshot.variant, snapshot.revision) == ("", "espeak-ng", "SYSTEM", 1)
        assert VoiceProfile.from_settings(json.loads(snapshot.engine_settings)) == entry.profile


async def test_a_second_start_neither_speaks_nor_tells(
    deps: Deps, database: Database, catalogue: list[SystemVoice]
) -> None:
    await seed_system_voices(deps, CountingEngine(), catalogue)
    engine = CountingEngine()
    assert await seed_system_voices(deps, engine, catalogue) == []
    assert engine.starts == 0
    assert len(await _ready_events(database, catalogue)) == len(catalogue)


async def test_only_what_changed_in_the_catalogue_is_done_again(
    deps: Deps, database: Database, catalogue: list[SystemVoice]
) -> None:
    [first] = [
        voice for voice in await seed_system_voices(deps, CountingEngine(), catalogue) if voice.id == catalogue[0].id
    ]
    catalogue[0] = replace(catalogue[0], description="Changed.", preview_text="Something else now.")
    engine = CountingEngine()
    [changed] = await seed_system_voices(deps, engine, catalogue)
    assert engine.spoken == ["Something else now."]
    assert (changed.description, changed.revision) == ("Changed.", 2)
    assert changed.created_at == first.created_at
    assert changed.updated_at > first.updated_at
    assert len(await _created_ids(database, catalogue)) == len(catalogue)
    of_changed = [event.voice for event in await _ready_events(database, catalogue[:1])]
    assert [(snapshot.revision, snapshot.description) for snapshot in of_changed] == [
        (1, first.description),
        (2, "Changed."),
    ]


async def test_processes_that_start_at_once_tell_of_each_voice_once(
    deps: Deps, database: Database, catalogue: list[SystemVoice]
) -> None:
    results = await asyncio.gather(*(seed_system_voices(deps, CountingEngine(), catalogue) for _ in range(3)))
    assert sorted(voice.id for changed in results for voice in changed) == sorted(entry.id for entry in catalogue)
    assert len(await _created_ids(database, catalogue)) == len(catalogue)
    assert len(await _ready_events(database, catalogue)) == len(catalogue)


async def test_without_its_preview_no_voice_is_ready(
    client: Client, deps: Deps, database: Database, catalogue: list[SystemVoice], unused_tcp_port: int
) -> None:
    nowhere = ObjectStore(ObjectStoreAddress(f"http://127.0.0.1:{unused_tcp_port}", "r", "bucket", "key", "secret"))
    engine = CountingEngine()
    with pytest.raises(ExceptionGroup) as caught:
        await seed_system_voices(replace(deps, objects=nowhere), engine, catalogue)
    await nowhere.close()
    assert caught.group_contains(ObjectStoreUnavailable)
    assert engine.process_ids == frozenset()
    assert (await client.get(f"/v1/voices/{catalogue[0].id}")).status == 404
    assert await _ready_events(database, catalogue) == []


async def test_all_voices_of_the_catalogue_are_ready_within_seconds(
    client: Client, deps: Deps, database: Database, objects: ObjectStore
) -> None:
    async with database.transaction(SYSTEM_ORG) as session:
        await session.execute(text("delete from voices where variant = 'SYSTEM'"))
    began = asyncio.get_running_loop().time()
    changed = await seed_system_voices(deps, EspeakEngine(4), SYSTEM_VOICES)
    took = asyncio.get_running_loop().time() - began
    assert len(changed) == len(SYSTEM_VOICES) >= 24
    # 3 s on two idle cores; a test's machine may be busy.
    assert took < 15
    listed: dict[str, Any] = (await client.get("/v1/voices", variant="SYSTEM", limit=100)).body
    assert {item["id"] for item in listed["items"]} >= {str(entry.id) for entry in SYSTEM_VOICES}
    assert all([await objects.exists(domain.object_key(entry.id, None)) for entry in SYSTEM_VOICES])
