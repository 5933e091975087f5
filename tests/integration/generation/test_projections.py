"""What the generation service knows from others' events, in whatever order they come."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, GenerationCompleted, GenerationFailed
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioRejected
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from services.generation.api.views import view
from services.generation.consumers import complete_generations, fail_generations, forget_voices, learn_voices
from services.generation.domain.errors import UnknownVoice
from services.generation.domain.requests import Request, Voice
from services.generation.store import voices
from services.generation.usecases import ending
from services.generation.usecases.requesting import request_generation
from tests.integration.generation.conftest import World
from tests.integration.generation.told import stored, voice_ready
from tests.support.polling import eventually


async def known_voice(world: World, voice_id: UUID) -> Voice | None:
    async with world.database.transaction(world.org_id) as session:
        return await voices.get_voice(session, voice_id)


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
    voice_id = await world.known_voice()
    asked = await world.ask("I was here before.", voice_id)
    await world.apply(forget_voices, deleted(world, voice_id))
    kept = await world.get(asked.id)
    assert kept.voice_id is None
    assert kept.voice_name == "Aaron"


async def test_nobody_speaks_with_a_deleted_voice(world: World) -> None:
    voice_id = await world.known_voice()
    await world.spoken("I was here before.", voice_id)
    await world.apply(forget_voices, deleted(world, voice_id))
    for wanted in ("I was here before.", "I was not."):
        with pytest.raises(UnknownVoice):
            await world.ask(wanted, voice_id)


async def test_a_generation_is_completed_with_its_audio_once(world: World) -> None:
    asked = await world.ask("Hello there.")
    async with world.working():
        uploaded = await world.until_rendered(asked.id)
    assert uploaded.completed
    assert (await world.get(asked.id)).status == "completed"
    await world.apply(complete_generations, stored(uploaded))
    (completed,) = await world.emitted(GenerationCompleted, asked.id)
    assert completed.text == "Hello there."
    assert (completed.characters, completed.characters_spoken) == (12, 12)
    assert completed.size_bytes == uploaded.size_bytes
    assert completed.duration_seconds == uploaded.duration_seconds


async def test_stored_audio_completes_what_an_earlier_release_left_to_storage_once(world: World) -> None:
    asked = await world.ask("Hello there.")
    async with world.working():
        uploaded = await world.until_rendered(asked.id)
    await world.leave_to_storage()
    assert (await world.get(asked.id)).status == "processing"
    for _ in range(2):
        await world.apply(complete_generations, stored(uploaded))
    assert (await world.get(asked.id)).status == "completed"
    assert len(await world.emitted(GenerationCompleted, asked.id)) == 2


async def test_whoever_waits_is_told_what_a_worker_completed(world: World) -> None:
    request = Request(text="Hello there.", voice_id=await world.known_voice())
    async with world.working():
        told = await request_generation(world.deps, world.caller, request, None, wait_seconds=30)
    assert view(told) == view(await world.get(told.id))
    assert told.status == "completed"


async def test_what_is_uploaded_is_what_is_told(world: World) -> None:
    wanted = "Twenty-five ships."
    asked = await world.ask(wanted)
    async with world.working():
        uploaded = await world.until_rendered(asked.id)
    assert await world.objects.digest(uploaded.object_key) == (uploaded.sha256, uploaded.size_bytes)
    assert len(uploaded.alignment.start_times) == len(uploaded.alignment.end_times) == len(wanted)
    assert uploaded.alignment.end_times[-1] <= uploaded.duration_seconds
    assert (uploaded.text, uploaded.format, uploaded.content_type) == (wanted, "mp3", "audio/mpeg")


@pytest.mark.parametrize("tries_again", [False, True], ids=["once", "and is tried again"])
async def test_rejected_audio_fails_a_generation_once(world: World, tries_again: bool) -> None:
    asked = await world.ask()
    async with world.working():
        uploaded = await world.until_rendered(asked.id)
    for _ in range(2):
        await world.apply(fail_generations, rejected(uploaded))
    failed = await world.get(asked.id)
    assert (failed.status, failed.error_code) == ("failed", "audio_rejected")
    assert (failed.duration_seconds, failed.characters_spoken) == (None, None)
    assert len(await world.emitted(GenerationFailed, failed.id)) == 1
    if tries_again:
        await ending.retry_generation(world.deps, world.caller, asked.id)
        async with world.working():
            await eventually(lambda: _made(world, asked.id, 2), what="the second audio")
            assert (await world.until(asked.id)).status == "completed"
        # What is heard again of the first audio is no news of the second.
        await world.apply(fail_generations, rejected(uploaded))
        assert (await world.get(asked.id)).status == "completed"


async def test_rejected_audio_fails_all_that_share_it_and_is_not_given_again(world: World) -> None:
    voice_id = await world.known_voice()
    first, second = [await world.ask("One for both.", voice_id) for _ in range(2)]
    async with world.working():
        uploaded = await world.until_rendered(first.id)
    await world.apply(fail_generations, rejected(uploaded))
    assert [(await world.get(one.id)).status for one in (first, second)] == ["failed", "failed"]
    third = await world.spoken("One for both.", voice_id)
    assert (third.status, third.characters_spoken) == ("completed", len("One for both."))


async def test_rejected_audio_fails_what_an_earlier_release_left_to_storage(world: World) -> None:
    asked = await world.ask()
    async with world.working():
        uploaded = await world.until_rendered(asked.id)
    await world.leave_to_storage()
    refusal = rejected(uploaded)
    refusal.ClearField("object_key")
    await world.apply(fail_generations, refusal)
    assert (await world.get(asked.id)).error_code == "audio_rejected"


def rejected(uploaded: AudioRendered) -> AudioRejected:
    return AudioRejected(
        generation_id=uploaded.generation_id,
        org_id=uploaded.org_id,
        reason="not what was announced",
        rejected_at=datetime.now(UTC),
        object_key=uploaded.object_key,
    )


async def _made(world: World, rendition_id: UUID, times: int) -> bool:
    return len(await world.emitted(AudioRendered, rendition_id)) == times
