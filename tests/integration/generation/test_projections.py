"""What the generation service knows from others' events, in whatever order they come."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted, GenerationFailed
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioRejected, AudioStored
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from services.generation import rendering, store
from services.generation.consumers import complete_generations, fail_generations, forget_voices, learn_voices
from services.generation.domain import Generation, Voice
from tests.integration.generation.conftest import World, voice_ready


async def known_voice(world: World, voice_id: UUID) -> Voice | None:
    async with world.database.transaction(world.org_id) as session:
        return await store.get_voice(session, voice_id)


async def generation(world: World, generation_id: str) -> Generation:
    async with world.database.transaction(world.org_id) as session:
        found = await store.get_generation(session, world.org_id, UUID(generation_id))
    assert found is not None
    return found


def deleted(world: World, voice_id: UUID) -> VoiceDeleted:
    return VoiceDeleted(voice_id=str(voice_id), org_id=str(world.org_id), deleted_at=datetime.now(UTC))


async def test_the_newest_revision_of_a_voice_wins_in_any_order(world: World) -> None:
    voice_id = new_id()
    revisions = [voice_ready(world.org_id, voice_id, revision=number, name=f"name {number}") for number in (1, 2, 3)]
    await world.apply(learn_voices, revisions[1], revisions[0])
    await world.apply(learn_voices, revisions[0])
    await world.apply(learn_voices, revisions[2], revisions[1])
    voice = await known_voice(world, voice_id)
    assert voice is not None
    assert voice.name == "name 3"


@pytest.mark.parametrize("first", ["ready", "deleted"])
async def test_a_deleted_voice_stays_deleted(world: World, first: str) -> None:
    voice_id = new_id()
    ready = voice_ready(world.org_id, voice_id, revision=5, name="Late")
    if first == "ready":
        await world.apply(learn_voices, ready)
        await world.apply(forget_voices, deleted(world, voice_id))
    else:
        await world.apply(forget_voices, deleted(world, voice_id))
        await world.apply(learn_voices, ready)
    assert await known_voice(world, voice_id) is None


async def test_a_generation_outlives_its_voice(world: World) -> None:
    requested = await world.requested()
    await world.apply(forget_voices, deleted(world, UUID(requested.voice_id)))
    kept = await generation(world, requested.generation_id)
    assert kept.voice_id is None
    assert kept.voice_name == "Aaron"


def stored(world: World, generation_id: str) -> AudioStored:
    return AudioStored(
        generation_id=generation_id,
        org_id=str(world.org_id),
        track_id=str(new_id()),
        size_bytes=42,
        duration_seconds=1.0,
        stored_at=datetime.now(UTC),
    )


async def test_stored_audio_completes_a_generation_once(world: World) -> None:
    requested = await world.requested()
    await rendering.render(world.worker, requested)
    for _ in range(2):
        await world.apply(complete_generations, stored(world, requested.generation_id))
    assert (await generation(world, requested.generation_id)).status == "completed"
    (completed,) = await world.emitted(GenerationCompleted, UUID(requested.generation_id))
    assert completed.text == "Hello there."
    assert completed.characters == 12
    assert completed.size_bytes == 42


async def test_rejected_audio_fails_a_generation_once(world: World) -> None:
    requested = await world.requested()
    await rendering.render(world.worker, requested)
    rejected = AudioRejected(
        generation_id=requested.generation_id,
        org_id=str(world.org_id),
        reason="not what was announced",
        rejected_at=datetime.now(UTC),
    )
    for _ in range(2):
        await world.apply(fail_generations, rejected)
    failed = await generation(world, requested.generation_id)
    assert (failed.status, failed.error_code) == ("failed", "audio_rejected")
    assert len(await world.emitted(GenerationFailed, failed.id)) == 1
