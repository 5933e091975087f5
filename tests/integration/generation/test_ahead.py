"""Short texts are begun with before they are written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.speech.engine import EngineCrashed
from services.generation.domain.errors import UnknownVoice
from services.generation.rendering import ahead, upkeep
from services.generation.store import queue, taking
from services.generation.usecases import offering
from tests.integration.generation.conftest import World, another_worker
from tests.integration.generation.engine_faults import DEADLY, Stuck, failing
from tests.integration.generation.stand_ins import PROCESSES
from tests.support.polling import eventually


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are waited for as long as a busy machine takes for them."""
    monkeypatch.setattr(offering, "ANSWER_SECONDS", 5.0)


@asynccontextmanager
async def _nothing_written(world: World) -> AsyncIterator[None]:
    """Keep requests from being written down."""
    async with world.database.transaction() as session:
        await session.execute(text("lock table renditions in share row exclusive mode"))
        yield


async def _until_asked_to_speak(world: World, *texts: str) -> None:
    async def is_asked() -> bool:
        return world.engine.spoken == [*texts]

    await eventually(is_asked, within=1.5, what="speech before there is a row")


async def test_a_text_is_spoken_while_it_is_written_down(world: World) -> None:
    voice_id = await world.known_voice()
    async with world.working():
        await world.at_work()
        async with _nothing_written(world):
            asking = asyncio.create_task(world.ask("Ahead of its time.", voice_id))
            await _until_asked_to_speak(world, "Ahead of its time.")
        asked = await asking
        assert (await world.until(asked.id)).status == "completed"
    assert len(world.engine.spoken) == 1
    assert len(await world.emitted(AudioRendered, asked.id)) == 1


async def test_what_a_worker_has_begun_is_written_down_as_its_work(world: World) -> None:
    stuck = Stuck()
    world.engine.on_render = stuck
    async with world.working():
        await world.at_work()
        asked = await world.ask()
        rows = await world.rows("select worker, tries, available_at > now() as is_leased from speech_queue")
        assert [tuple(row) for row in rows] == [(world.worker.worker_id, 1, True)]
        stuck.may_go_on.set()
        assert (await world.until(asked.id)).status == "completed"
    assert await world.rows("select 1 from speech_queue") == []


async def test_of_several_workers_one_begins_and_has_it(world: World) -> None:
    stuck = Stuck()
    world.engine.on_render = stuck
    voice_id = await world.known_voice()
    other = another_worker(world.worker)
    async with world.working(), world.working(other):
        await world.at_work(2)
        asked = [await world.ask(f"Text number {number}.", voice_id) for number in range(PROCESSES)]
        rows = await world.rows("select worker, tries from speech_queue")
        assert [row.tries for row in rows] == [1] * PROCESSES
        assert {row.worker for row in rows} <= {world.worker.worker_id, other.worker_id}
        assert sorted(world.engine.spoken) == [f"Text number {number}." for number in range(PROCESSES)]
        stuck.may_go_on.set()
        for one in asked:
            assert (await world.until(one.id)).status == "completed"
    assert len(world.engine.spoken) == PROCESSES


async def test_what_is_not_written_down_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "FORGOTTEN_SECONDS", 0.1)
    stuck = Stuck()
    world.engine.on_render = stuck
    voice_id = await world.known_voice()

    async def too_late(*_arguments: object) -> bool:
        return False

    async with world.working():
        await world.at_work()
        with monkeypatch.context() as patched:
            patched.setattr("services.generation.usecases.requesting.voices.lock_custom_voice", too_late)
            with pytest.raises(UnknownVoice):
                await world.ask("Never mind.", voice_id)
        async with asyncio.timeout(5):
            await stuck.canceled.wait()
        world.engine.on_render = None
        assert (await world.spoken_meanwhile("Never mind.", voice_id)).status == "completed"


async def test_what_a_worker_never_heard_that_it_has_others_get(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "UPKEEP_SECONDS", 0.2)
    asked = await world.ask()
    await world.change(
        f"update speech_queue set worker = :worker, tries = 1, "  # noqa: S608 - a number of ours
        f"available_at = clock_timestamp() + interval '{queue.LEASE_SECONDS} seconds'",
        worker=world.worker.worker_id,
    )
    async with world.working():
        assert (await world.until(asked.id, within=queue.LEASE_SECONDS / 2)).status == "completed"


async def test_an_engine_that_dies_ahead_costs_one_try(world: World) -> None:
    world.engine.on_render = failing(1, EngineCrashed("it died"))
    async with world.working():
        await world.at_work()
        async with _nothing_written(world):
            asking = asyncio.create_task(world.ask(DEADLY))
            await _until_asked_to_speak(world, DEADLY)
        assert (await world.until((await asking).id)).status == "completed"
    tries = await world.rows("select status from generation_attempts order by created_at")
    assert [row.status for row in tries] == ["failed", "rendered"]


@pytest.mark.parametrize(
    ("most", "priority", "stale_seconds", "is_begun"),
    [
        (queue.UNLIMITED, queue.INTERACTIVE, 60.0, True),
        (queue.UNLIMITED - 1, queue.INTERACTIVE, 60.0, False),
        (queue.UNLIMITED, queue.JOB, 60.0, False),
        (queue.UNLIMITED, queue.INTERACTIVE, 0.0, False),
    ],
    ids=["begun", "limited", "job", "long ago"],
)
async def test_what_a_plan_limits_what_was_offered_long_ago_and_jobs_are_left_to_the_queue(
    world: World, monkeypatch: pytest.MonkeyPatch, most: int, priority: int, stale_seconds: float, *, is_begun: bool
) -> None:
    monkeypatch.setattr(offering, "STALE_SECONDS", stale_seconds)
    asked = await world.ask(voice_id=await world.known_voice())
    (row,) = await world.rows("select payload from speech_queue")
    async with world.working():
        await world.at_work()
        await world.until(asked.id)
        work = queue.NewWork(world.org_id, "whole", asked.id, priority, 12, most_at_once=most, payload=row.payload)
        async with world.deps.offers.making(work, None) as offer:
            assert await offer.entrust() == (world.worker.worker_id if is_begun else None)
            offer.withdraw()


async def test_nobody_who_is_offered_passes_those_who_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offering, "ANSWER_SECONDS", 0.5)
    voice_id = await world.known_voice()
    asked = [await world.ask("Who came first.", voice_id), await world.ask("Who waits.", voice_id)]
    may_go_on, looks, take = asyncio.Event(), 0, taking.take

    async def after_the_first(*arguments: Any, **options: Any) -> list[queue.Work]:
        nonlocal looks
        looks += 1
        if looks > 1:
            await may_go_on.wait()
        return await take(*arguments, **options)

    monkeypatch.setattr(taking, "take", after_the_first)

    async def looks_again() -> bool:
        return looks > 1

    async with world.working(slots=1):
        await eventually(looks_again, what="a look for who waits")
        asked.append(await world.ask("Who came last.", voice_id))
        (last,) = await world.rows("select worker from speech_queue where rendition_id = :id", id=asked[-1].id)
        assert last.worker is None
        may_go_on.set()
        for one in asked:
            await world.until(one.id)
    assert world.engine.spoken == ["Who came first.", "Who waits.", "Who came last."]


async def test_of_equal_requests_one_is_begun(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offering, "SHARED_SECONDS", 0.1)
    stuck = Stuck()
    world.engine.on_render = stuck
    voice_id = await world.known_voice()
    async with world.working():
        await world.at_work()
        asked = list(await asyncio.gather(*(world.ask("The same.", voice_id) for _ in range(8))))
        monkeypatch.setattr(offering, "SHARED_SECONDS", 0.0)
        asked += [await world.ask("The same.", voice_id) for _ in range(2)]
        rows = await world.rows("select worker from speech_queue")
        assert [row.worker for row in rows] == [world.worker.worker_id]
        stuck.may_go_on.set()
        for one in asked:
            assert (await world.until(one.id)).status == "completed"
    assert world.engine.spoken == ["The same."]


async def test_what_was_forgotten_before_it_was_written_down_is_done_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FORGOTTEN_SECONDS", 0.1)
    monkeypatch.setattr(upkeep, "UPKEEP_SECONDS", 60.0)
    stuck = Stuck()
    world.engine.on_render = stuck
    voice_id = await world.known_voice()
    async with world.working():
        await world.at_work()
        async with _nothing_written(world):
            asking = asyncio.create_task(world.ask(voice_id=voice_id))
            async with asyncio.timeout(5):
                await stuck.canceled.wait()
            world.engine.on_render = None
        assert (await world.until((await asking).id, within=queue.LEASE_SECONDS / 2)).status == "completed"


async def test_a_worker_that_stops_leaves_what_it_began_to_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FORGOTTEN_SECONDS", 0.5)
    monkeypatch.setattr(upkeep, "UPKEEP_SECONDS", 60.0)
    stuck = Stuck()
    world.engine.on_render = stuck
    voice_id = await world.known_voice()
    async with world.working(drain_seconds=1.0):
        await world.at_work()
        locked = _nothing_written(world)
        await locked.__aenter__()
        asking = asyncio.create_task(world.ask(voice_id=voice_id))
        await _until_asked_to_speak(world, "Hello there.")
    # It has drained, and forgotten what it began.
    assert stuck.canceled.is_set()
    world.engine.on_render = None
    await locked.__aexit__(None, None, None)
    asked = await asking
    async with world.working():
        assert (await world.until(asked.id, within=queue.LEASE_SECONDS / 2)).status == "completed"
