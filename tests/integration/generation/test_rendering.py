"""What a speech worker does with one request, however often and in whatever state it finds it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, GenerationDeleted, GenerationFailed
from libs.ids import new_id
from libs.objectstore import ObjectStore, ObjectStoreAddress, ObjectStoreUnavailable
from libs.speech.engine import Rendered, RenderJob
from services.generation import rendering, store, usecases
from tests.integration.generation.conftest import World
from tests.integration.generation.test_projections import generation


async def test_rendering_uploads_records_and_tells(world: World) -> None:
    requested = await world.requested("Twenty-five ships.")
    await rendering.render(world.worker, requested)
    (rendered,) = await world.emitted(AudioRendered, UUID(requested.generation_id))
    assert await world.objects.digest(rendered.object_key) == (rendered.sha256, rendered.size_bytes)
    assert len(rendered.alignment.start_times) == len(rendered.alignment.end_times) == len("Twenty-five ships.")
    assert rendered.alignment.end_times[-1] <= rendered.duration_seconds
    kept = await generation(world, requested.generation_id)
    assert kept.status == "processing"
    assert kept.object_key == rendered.object_key
    assert "speed" in kept.applied


async def test_rendering_twice_tells_once_and_leaves_one_object(world: World) -> None:
    requested = await world.requested()
    await asyncio.gather(*(rendering.render(world.worker, requested) for _ in range(3)))
    await rendering.render(world.worker, requested)
    (rendered,) = await world.emitted(AudioRendered, UUID(requested.generation_id))
    assert await world.objects.exists(rendered.object_key)


async def test_a_generation_deleted_meanwhile_leaves_nothing(world: World) -> None:
    requested = await world.requested()
    generation_id = UUID(requested.generation_id)
    engine = world.worker.engine

    class DeletedWhileSpeaking:
        """The real engine, during whose work the client deletes the generation."""

        name, version, honours = engine.name, engine.version, engine.honours
        start, close = engine.start, engine.close

        async def render(self, job: RenderJob) -> Rendered:
            rendered = await engine.render(job)
            await usecases.delete_generation(world.database, world.caller, generation_id, now=world.worker.clock())
            return rendered

    await rendering.render(replace(world.worker, engine=DeletedWhileSpeaking()), requested)
    assert await world.emitted(AudioRendered, generation_id) == []
    assert len(await world.emitted(GenerationDeleted, generation_id)) == 1
    # Whoever comes later finds it gone.
    await rendering.render(world.worker, requested)
    assert await world.emitted(AudioRendered, generation_id) == []


async def test_what_no_engine_can_speak_fails_the_generation(world: World) -> None:
    requested = await world.requested(engine_settings='{"engine_voice": "definitely", "language": "xx"}')
    await rendering.render(world.worker, requested)
    failed = await generation(world, requested.generation_id)
    assert (failed.status, failed.error_code) == ("failed", "text_not_speakable")
    assert len(await world.emitted(GenerationFailed, failed.id)) == 1


async def test_without_the_object_store_nothing_is_recorded(world: World) -> None:
    requested = await world.requested()
    nowhere = ObjectStore(ObjectStoreAddress("http://127.0.0.1:9", "us-east-1", "antiphon", "a", "b"))
    with pytest.raises(ObjectStoreUnavailable):
        await rendering.render(replace(world.worker, objects=nowhere), requested)
    await nowhere.close()
    kept = await generation(world, requested.generation_id)
    assert (kept.status, kept.object_key) == ("processing", None)
    await rendering.render(world.worker, requested)
    assert len(await world.emitted(AudioRendered, kept.id)) == 1


async def test_another_organisation_sees_and_changes_nothing(world: World) -> None:
    requested = await world.requested()
    other = UUID(int=UUID(requested.org_id).int ^ 1)
    generation_id = UUID(requested.generation_id)
    async with world.database.transaction(other) as session:
        assert await store.get_generation(session, world.org_id, generation_id) is None
        assert await store.delete_generation(session, world.org_id, generation_id) is None
        assert not await store.claim_generation(session, world.org_id, generation_id, new_id())
        assert not await store.lock_custom_voice(session, UUID(requested.voice_id))
        for table in (store.generations, store.attempts, store.voices):
            count = select(func.count()).select_from(table).where(table.c.org_id == world.org_id)
            assert (await session.execute(count)).scalar_one() == 0
    async with world.database.transaction() as session:
        assert (await session.execute(select(func.count()).select_from(store.generations))).scalar_one() == 0
