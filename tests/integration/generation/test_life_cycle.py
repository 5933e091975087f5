"""From the request to the end, and again: cancel, retry, delete."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from uuid import UUID

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import (
    AudioRendered,
    GenerationCanceled,
    GenerationCompleted,
    GenerationDeleted,
    GenerationFailed,
    GenerationRequested,
)
from libs.ids import new_id
from libs.speech.engine import EngineCrashed
from services.generation.consumers import complete_generations
from services.generation.domain import errors
from services.generation.domain.requests import Generation
from services.generation.usecases import ending
from tests.integration.generation.conftest import World
from tests.integration.generation.engine_faults import DEADLY, Stuck, failing
from tests.integration.generation.texts import long_text, sentence
from tests.integration.generation.told import stored
from tests.support.polling import eventually


async def cancel(world: World, generation_id: UUID) -> Generation:
    return await ending.cancel_generation(world.deps, world.caller, generation_id)


async def retry(world: World, generation_id: UUID) -> Generation:
    return await ending.retry_generation(world.deps, world.caller, generation_id)


async def delete(world: World, generation_id: UUID) -> GenerationDeleted:
    await ending.delete_generation(world.deps, world.caller, generation_id)
    (told,) = await world.emitted(GenerationDeleted, generation_id)
    return told


async def is_empty(world: World) -> bool:
    """Say whether nothing is left of the organisation's texts and their speech."""
    tables = ("generations", "renditions", "generation_chunks", "speech_cache", "speech_queue", "generation_attempts")
    left = {table: len(await world.rows(f"select 1 from {table}")) for table in tables}  # noqa: S608 - names above
    return not any(left.values())


@pytest.mark.parametrize("length", [40, 1_500, 8_000], ids=["whole", "chunks", "plan"])
async def test_what_is_canceled_before_anybody_takes_it_is_withdrawn(world: World, length: int) -> None:
    asked = await world.ask(long_text(length) or "Never mind.", mode="job" if length > 5_000 else "interactive")
    canceled = await cancel(world, asked.id)
    assert canceled.status == "canceled"
    assert len(await world.emitted(GenerationCanceled, asked.id)) == 1
    assert await world.rows("select 1 from speech_queue") == []
    assert await world.rows("select 1 from speech_cache") == []
    with pytest.raises(errors.WrongState):
        await cancel(world, asked.id)
    assert len(await world.emitted(GenerationCanceled, asked.id)) == 1


@pytest.mark.parametrize("length", [40, 1_500], ids=["whole", "chunks"])
async def test_what_is_being_spoken_stops_within_a_second(world: World, length: int) -> None:
    took: list[float] = []
    async with world.working():
        # On a busy machine one of three is quick enough.
        while len(took) < 3 and min(took, default=2.0) > 1.0:
            took.append(await _stopped(world, long_text(length) or "Never mind."))
    assert min(took) < 1.0
    assert await world.rows("select 1 from speech_queue") == []


async def _stopped(world: World, wanted: str) -> float:
    """Return how many seconds an engine goes on with a text that is canceled."""
    world.engine.on_render = stuck = Stuck()
    asked = await world.ask(wanted)
    await asyncio.wait_for(stuck.begun.wait(), 10)
    # It may have been begun ahead, and its worker not have been heard in time: then it is taken from the queue now.
    await world.until(asked.id, "processing")
    await cancel(world, asked.id)
    began = time.monotonic()
    await asyncio.wait_for(stuck.canceled.wait(), 10)
    took = time.monotonic() - began
    assert (await world.get(asked.id)).status == "canceled"
    assert await world.emitted(AudioRendered, asked.id) == []
    assert await world.emitted(GenerationCompleted, asked.id) == []
    return took


async def test_cancelling_one_of_two_that_share_leaves_the_other_going(world: World) -> None:
    voice_id, wanted = await world.known_voice(), long_text(1_500)
    first, second = await world.ask(wanted, voice_id), await world.ask(wanted, voice_id)
    assert (await cancel(world, first.id)).status == "canceled"
    async with world.working():
        assert (await world.until(second.id)).status == "completed"
    assert (await world.get(first.id)).status == "canceled"
    assert await world.emitted(GenerationCompleted, first.id) == []


async def test_what_was_canceled_can_be_asked_for_anew(world: World) -> None:
    voice_id = await world.known_voice()
    first = await world.ask("On second thought.", voice_id)
    await cancel(world, first.id)
    second = await world.spoken("On second thought.", voice_id)
    assert second.rendition_id != first.rendition_id
    assert second.status == "completed"


async def test_a_retry_after_a_failure_speaks_only_what_is_missing(world: World) -> None:
    wanted = f"{long_text(2_000)}\n\n{DEADLY}"
    world.engine.on_render = failing(3, EngineCrashed("it died"))
    failed = await world.spoken(wanted)
    assert failed.status == "failed"
    done = {text for text in world.engine.spoken if DEADLY not in text}
    world.engine.spoken.clear()
    again = await retry(world, failed.id)
    assert (again.status, again.tries, again.error) == ("processing", 2, None)
    async with world.working():
        completed = await world.until(failed.id)
    assert completed.status == "completed"
    assert any(DEADLY in text for text in world.engine.spoken)
    assert not done & set(world.engine.spoken)
    assert len(await world.emitted(GenerationRequested, failed.id)) == 2
    assert len(await world.emitted(GenerationFailed, failed.id)) == 1
    (told,) = await world.emitted(GenerationCompleted, failed.id)
    # Nobody has paid yet for what was spoken before it failed.
    assert told.characters_spoken == len(wanted)


@pytest.mark.parametrize("length", [40, 1_500, 8_000], ids=["whole", "chunks", "plan"])
async def test_a_retry_after_cancelling_completes(world: World, length: int) -> None:
    asked = await world.ask(long_text(length) or "After all.", mode="job" if length > 5_000 else "interactive")
    await cancel(world, asked.id)
    assert (await retry(world, asked.id)).status == "pending"
    assert world.analytics.asked == [str(asked.id)] * 2, "what was released is reserved again"
    async with world.working():
        completed = await world.until(asked.id)
    assert (completed.status, completed.characters_spoken) == ("completed", completed.characters)


async def test_of_two_that_share_each_can_be_canceled_and_tried_again(world: World) -> None:
    voice_id, wanted = await world.known_voice(), long_text(1_500)
    first, second = await world.ask(wanted, voice_id), await world.ask(wanted, voice_id)
    for one in (first, second):
        await cancel(world, one.id)
    await retry(world, second.id)
    async with world.working():
        completed = await world.until(second.id)
        assert (completed.status, completed.characters_spoken) == ("completed", len(wanted))
        later = await retry(world, first.id)
    assert (later.status, later.characters_spoken) == ("completed", 0)


async def test_two_texts_that_share_a_piece_do_not_keep_it_from_a_third(world: World) -> None:
    voice_id, shared = await world.known_voice(), sentence(7)
    texts = [f"{shared}\n\n{long_text(600, first=100 * number)}" for number in (1, 2, 3)]
    for wanted in texts[:2]:
        await world.ask(wanted, voice_id)
    for row in await world.rows("select id from generations order by id"):
        await cancel(world, row.id)
    assert await world.rows("select 1 from speech_cache where object_key is null") == []
    assert (await world.spoken(texts[2], voice_id)).status == "completed"


async def test_audio_that_storage_has_yet_to_keep_cannot_be_canceled(world: World) -> None:
    asked = await world.ask("It was on its way.")
    async with world.working():
        uploaded = await world.until_rendered(asked.id)
    # As workers of an earlier release leave it.
    await world.leave_to_storage()
    # Storage keeps the first audio of a rendition, and tells of it once: a second would never be heard of.
    with pytest.raises(errors.WrongState, match="about to be completed"):
        await cancel(world, asked.id)
    assert await world.emitted(GenerationCanceled, asked.id) == []
    await world.apply(complete_generations, stored(uploaded))
    assert (await world.get(asked.id)).status == "completed"


async def test_audio_completes_nobody_who_canceled_before_it_was_made(world: World) -> None:
    voice_id = await world.known_voice()
    first, second = [await world.ask("Too late.", voice_id) for _ in range(2)]
    await cancel(world, first.id)
    async with world.working():
        uploaded = await world.until_rendered(first.id)
        await world.apply(complete_generations, stored(uploaded))
    assert (await world.get(second.id)).status == "completed"
    assert (await world.get(first.id)).status == "canceled"
    assert await world.emitted(GenerationCompleted, first.id) == []
    assert (await retry(world, first.id)).status == "completed"


@pytest.mark.parametrize("state", ["pending", "completed"])
async def test_only_what_failed_or_was_canceled_can_be_tried_again(world: World, state: str) -> None:
    asked = await (world.ask if state == "pending" else world.spoken)("It is fine.")
    with pytest.raises(errors.WrongState, match=f"it is {state}"):
        await retry(world, asked.id)
    assert len(world.analytics.asked) == 1


@pytest.mark.parametrize("state", ["completed", "failed", "canceled"])
async def test_only_what_is_not_finished_can_be_canceled(world: World, state: str) -> None:
    if state == "failed":
        world.engine.on_render = failing(9, EngineCrashed("it died"))
    asked = await (world.ask if state == "canceled" else world.spoken)(DEADLY)
    if state == "canceled":
        await cancel(world, asked.id)
    events = len(await world.emitted(GenerationCanceled, asked.id))
    with pytest.raises(errors.WrongState, match=f"it is {state}"):
        await cancel(world, asked.id)
    assert len(await world.emitted(GenerationCanceled, asked.id)) == events


async def test_what_is_not_there_can_neither_be_canceled_nor_retried_nor_deleted(world: World) -> None:
    for act in (ending.cancel_generation, ending.retry_generation, ending.delete_generation):
        with pytest.raises(errors.GenerationNotFound):
            await act(world.deps, world.caller, new_id())


async def test_a_retry_without_its_voice_says_so(world: World) -> None:
    asked = await world.ask("Who would speak it?")
    await cancel(world, asked.id)
    await world.change("update generations set voice_id = null")
    with pytest.raises(errors.UnknownVoice):
        await retry(world, asked.id)


@pytest.mark.parametrize("length", [40, 1_500], ids=["whole", "chunks"])
@pytest.mark.parametrize("state", ["pending", "rendered", "completed", "failed", "canceled"])
async def test_deleting_leaves_nothing(world: World, state: str, length: int) -> None:
    wanted = f"{long_text(length)}\n\n{DEADLY}".strip()
    asked = await world.ask(wanted)
    keys: set[str] = set()
    if state == "canceled":
        await cancel(world, asked.id)
    elif state != "pending":
        world.engine.on_render = failing(9 if state == "failed" else 0, EngineCrashed("it died"))
        async with world.working():
            await (world.until_rendered(asked.id) if state == "rendered" else world.until(asked.id))
    for row in await world.rows("select object_key from speech_cache union select object_key from renditions"):
        keys |= {row.object_key} if row.object_key else set()
    told = await delete(world, asked.id)
    assert told.audio_id == str(asked.rendition_id)
    assert set(told.object_keys) == keys
    assert await is_empty(world)


async def test_deleting_while_it_is_spoken_leaves_nothing(world: World) -> None:
    stuck = Stuck()
    world.engine.on_render = stuck
    asked = await world.ask(long_text(1_500))
    async with world.working():
        await asyncio.wait_for(stuck.begun.wait(), 10)
        await delete(world, asked.id)
        stuck.may_go_on.set()
        await eventually(lambda: _is_idle(world), what="a bench with nothing to do")
    assert await is_empty(world)
    assert await world.emitted(AudioRendered, asked.id) == []


async def _is_idle(world: World) -> bool:
    return not await world.rows("select 1 from speech_queue")


async def test_audio_that_is_shared_stays_until_the_last_is_deleted(world: World) -> None:
    voice_id = await world.known_voice()
    first = await world.spoken("Both of us want this.", voice_id)
    second = await world.ask("Both of us want this.", voice_id)
    assert (await delete(world, first.id)).audio_id == ""
    assert (await world.get(second.id)).status == "completed"
    last = await delete(world, second.id)
    assert last.audio_id == str(first.id)
    assert len(last.object_keys) == 1
    assert await is_empty(world)


async def test_the_events_say_which_key_asked_and_whose_it_is(world: World) -> None:
    async with world.working():
        for user_id in (new_id(), None):
            caller = replace(world.caller, key_id=new_id(), user_id=user_id)
            asked = await replace(world, caller=caller).ask(f"Hello {caller.key_id.hex[-4:]}.")

            async def completed(generation_id: UUID = asked.id) -> list[GenerationCompleted]:
                return await world.emitted(GenerationCompleted, generation_id)

            (requested,) = await world.emitted(GenerationRequested, asked.id)
            (done,) = await eventually(completed)
            for told in (requested, done):
                assert (told.key_id, told.user_id) == (str(caller.key_id), str(user_id or ""))
