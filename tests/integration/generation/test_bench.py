"""The worker's bench: engines that die or hang, stores that are away, workers that end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from uuid import UUID

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, GenerationFailed
from libs.objectstore import ObjectStore, ObjectStoreAddress
from libs.speech.engine import EngineCrashed, EngineTimeout, RenderJob, SpeechError, TextNotSpeakable
from services.generation.rendering import bench
from services.generation.rendering.recent import Recent
from services.generation.store import attempts
from tests.integration.generation.conftest import World, another_worker
from tests.integration.generation.engine_faults import DEADLY, Stuck, failing
from tests.integration.generation.texts import long_text
from tests.support.polling import eventually
from tests.support.servers import Servers


async def history(world: World, rendition_id: UUID | None) -> list[tuple[str, str | None]]:
    assert rendition_id is not None
    async with world.database.transaction(world.org_id) as session:
        return [(one.status, one.error) for one in await attempts.list_attempts(session, rendition_id)]


@pytest.mark.parametrize("error", [EngineCrashed("it died"), EngineTimeout("it hung")], ids=["crash", "hang"])
async def test_a_text_that_kills_three_engines_fails(world: World, error: SpeechError) -> None:
    world.engine.on_render = failing(100, error)
    failed = await world.spoken(DEADLY)
    assert (failed.status, failed.error_code) == ("failed", "engine_crashed")
    assert "3 times" in (failed.error or "")
    assert len(world.engine.spoken) == 3
    tries = await history(world, failed.rendition_id)
    assert [status for status, _ in tries] == ["failed"] * 3
    assert type(error).__name__ in (tries[0][1] or "")
    (told,) = await world.emitted(GenerationFailed, failed.id)
    assert told.code == "engine_crashed"
    assert await world.rows("select 1 from speech_queue") == []


@pytest.mark.parametrize("error", [EngineCrashed("it died"), EngineTimeout("it hung")], ids=["crash", "hang"])
async def test_a_text_that_kills_one_engine_is_tried_again(world: World, error: SpeechError) -> None:
    world.engine.on_render = failing(1, error)
    completed = await world.spoken(DEADLY)
    assert completed.status == "completed"
    assert [status for status, _ in await history(world, completed.rendition_id)] == ["failed", "rendered"]


async def test_a_deadly_piece_fails_its_text_and_no_other(world: World) -> None:
    world.engine.on_render = failing(100, EngineCrashed("it died"))
    voice_id = await world.known_voice()
    bad = await world.ask(f"{long_text(700)}\n\n{DEADLY}", voice_id)
    good = await world.ask(long_text(700, first=100), voice_id)
    async with world.working():
        assert (await world.until(good.id)).status == "completed"
        failed = await world.until(bad.id)
    assert (failed.status, failed.error_code) == ("failed", "engine_crashed")
    assert await world.rows("select 1 from speech_queue") == []


@pytest.mark.parametrize("length", [0, 800], ids=["whole", "chunks"])
async def test_what_no_engine_can_speak_fails_at_once(world: World, length: int) -> None:
    world.engine.on_render = failing(100, TextNotSpeakable("there is nothing to say"))
    failed = await world.spoken(f"{long_text(length)}\n\n{DEADLY}".strip())
    assert (failed.status, failed.error_code) == ("failed", "text_not_speakable")
    assert failed.error == "there is nothing to say"
    assert sum(DEADLY in text for text in world.engine.spoken) == 1


async def test_a_timbre_that_the_engine_does_not_have_fails_at_once(world: World) -> None:
    failed = await world.spoken("Hello there.", await world.known_voice(variant="definitely"))
    assert (failed.status, failed.error_code) == ("failed", "text_not_speakable")
    assert len(world.engine.spoken) == 1


async def test_a_real_engine_process_that_is_killed_costs_one_try(world: World) -> None:
    asked = await world.ask(long_text(5_000))
    espeak = world.engine.engine
    killed: list[int] = []

    async def kill_once(_job: RenderJob) -> None:
        if not killed:
            killed.extend(espeak.process_ids)  # type: ignore[attr-defined]  # eSpeak's engine has processes

    world.engine.on_render = kill_once
    async with world.working():
        await eventually(lambda: _is(killed), what="the engine at work")
        for process_id in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        assert (await world.until(asked.id)).status == "completed"


async def _is(value: object) -> bool:
    return bool(value)


async def test_while_the_object_store_is_away_nothing_fails(world: World) -> None:
    nowhere = ObjectStore(ObjectStoreAddress("http://127.0.0.1:9", "us-east-1", "antiphon", "a", "b"))
    whole, chunks = await world.ask("A short text."), await world.ask(long_text(700))
    async with world.working(another_worker(world.worker, objects=nowhere)):
        await eventually(
            lambda: world.rows("select 1 from generation_attempts where error like 'ObjectStoreUnavailable%'"),
            what="a try without the object store",
        )
    await nowhere.close()
    rows = await world.rows("select tries, worker from speech_queue where kind in ('whole', 'chunk')")
    assert {row.worker for row in rows} == {None}
    assert {row.tries for row in rows} == {0}, "an outage is nobody's try"
    await world.change("update speech_queue set available_at = clock_timestamp()")
    async with world.working():
        assert (await world.until(whole.id)).status == "completed"
        assert (await world.until(chunks.id)).status == "completed"
    assert len(await world.emitted(AudioRendered, whole.id)) == 1


class Counted(ObjectStore):
    """The object store, of which is noted what was read."""

    reads = 0

    async def get(self, key: str) -> bytes:
        self.reads += 1
        return await super().get(key)


async def test_what_a_worker_has_just_spoken_it_joins_without_reading_it(world: World, servers: Servers) -> None:
    objects = Counted(servers.object_store_address)
    asked = await world.ask(long_text(1_500))
    worker = another_worker(world.worker, objects=objects, recent=Recent())
    async with world.working(worker):
        made = await world.until(asked.id)
    assert made.status == "completed"
    assert (made.chunks_total or 0) > 2
    assert objects.reads == 0
    await objects.close()


async def test_what_others_have_spoken_is_read(world: World, servers: Servers) -> None:
    objects = Counted(servers.object_store_address)
    voice_id, wanted = await world.known_voice(), long_text(1_500)
    await world.spoken(wanted, voice_id)
    asked = await world.ask(f"{wanted} Something new.", voice_id)
    async with world.working(another_worker(world.worker, objects=objects, recent=Recent())):
        assert (await world.until(asked.id)).status == "completed"
    assert objects.reads > 0
    await objects.close()


async def test_who_waits_does_not_wait_for_a_job_to_end(world: World) -> None:
    stuck = Stuck("A job")
    world.engine.on_render = stuck
    voice_id = await world.known_voice()
    jobs = [await world.ask(f"A job, number {number}.", voice_id, mode="job") for number in range(20)]
    async with world.working(slots=4):
        await eventually(
            lambda: world.rows("select 1 from speech_queue where worker is not null offset 3"), what="four jobs at work"
        )
        assert (await world.spoken_meanwhile("Somebody waits.", voice_id)).status == "completed"
        assert len(await world.rows("select 1 from speech_queue")) == len(jobs)
        stuck.may_go_on.set()


async def test_what_a_plan_limits_goes_on_as_soon_as_it_may(world: World) -> None:
    world.analytics.concurrency = 2
    spoken_at_once = 0
    most = 0

    async def count(_job: RenderJob) -> None:
        nonlocal spoken_at_once, most
        spoken_at_once += 1
        most = max(most, spoken_at_once)
        await asyncio.sleep(0)
        spoken_at_once -= 1

    world.engine.on_render = count
    voice_id = await world.known_voice()
    asked = [await world.ask(f"Text number {number}.", voice_id) for number in range(16)]
    async with world.working(slots=8):
        began = asyncio.get_running_loop().time()
        for one in asked:
            await world.until_rendered(one.id)
        took = asyncio.get_running_loop().time() - began
    # Two at each poll would take at least seven polls.
    assert took < 7 * bench.POLL_SECONDS
    assert most <= 2
