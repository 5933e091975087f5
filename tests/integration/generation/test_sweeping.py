"""Objects that nothing refers to, and audio that was lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, ObjectsAbandoned
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioLost
from libs.ids import new_id
from libs.messaging import Delivery, Permanent
from services.generation.domain.requests import Generation
from services.generation.domain.speech import chunk_key, object_key
from services.generation.usecases.restoring import restore_audio
from services.generation.usecases.sweeping import sweep
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text

AGE = timedelta(hours=25)


def tomorrow() -> datetime:
    """A clock for which everything that the tests write is more than a day old."""
    return datetime.now(UTC) + AGE


async def swept(world: World, *, grace: timedelta = timedelta(hours=24)) -> list[str]:
    """Sweep as if it were tomorrow; return what storage was told to remove of the organisation's."""
    steps = [done async for done in sweep(world.database, world.objects, grace=grace, clock=tomorrow, pause_seconds=0)]
    assert steps[-1].objects > 0
    told = await world.emitted(ObjectsAbandoned, world.org_id)
    return [key for event in told for key in event.object_keys]


async def strays(world: World) -> list[str]:
    """Leave behind what a worker may that dies between uploading and writing down."""
    keys = [
        object_key(world.org_id, new_id(), new_id(), "mp3"),
        object_key(world.org_id, new_id(), new_id(), "json"),
        chunk_key(world.org_id, "0" * 64, new_id()),
    ]
    for key in keys:
        await world.objects.put(key, b"left behind", "audio/mpeg")
    return keys


async def test_what_nothing_refers_to_is_told_and_nothing_else(world: World) -> None:
    await world.spoken("A short one.")
    await world.spoken(long_text(1_500))
    left = await strays(world)
    assert sorted(await swept(world)) == sorted(left)


async def test_a_second_try_of_the_same_audio_is_told(world: World) -> None:
    made = await world.spoken("Twice uploaded.")
    assert made.rendition_id is not None
    other = object_key(world.org_id, made.rendition_id, new_id(), "mp3")
    await world.objects.put(other, b"the other try", "audio/mpeg")
    assert await swept(world) == [other]


async def test_what_is_young_is_left_to_those_who_may_be_about_to_write_it_down(world: World) -> None:
    await strays(world)
    assert await swept(world, grace=AGE + timedelta(minutes=1)) == []


async def test_what_is_none_of_this_services_is_left_alone(world: World) -> None:
    for key in (f"generations/orgs/{world.org_id}/notes.txt", f"voices/orgs/{world.org_id}/{new_id()}/a.wav"):
        await world.objects.put(key, b"somebody's", "text/plain")
    assert await swept(world) == []


async def lies_at(world: World, generation: Generation) -> str:
    (row,) = await world.rows("select object_key from generations where id = :id", id=generation.id)
    return str(row.object_key)


async def lost(world: World, generation: Generation) -> Delivery[AudioLost]:
    event = AudioLost(
        generation_id=str(generation.rendition_id),
        org_id=str(generation.org_id),
        object_key=await lies_at(world, generation),
        lost_at=datetime.now(UTC),
    )
    return Delivery(event, str(new_id()), 1)


@pytest.mark.parametrize("length", [40, 1_500], ids=["whole", "pieces"])
async def test_lost_audio_is_made_again_and_paid_for_by_nobody(world: World, length: int) -> None:
    wanted = long_text(length) or "A short one."
    made = await world.spoken(wanted)
    rendition_id = made.rendition_id
    assert rendition_id is not None
    await world.objects.delete(await lies_at(world, made))
    await restore_audio(world.deps, await lost(world, made))
    # Whoever asks for the same meanwhile waits for it.
    other = await world.ask(wanted, made.voice_id)
    async with world.working():
        other = await world.until(other.id)
    first, again = await world.emitted(AudioRendered, rendition_id)
    assert again.object_key != first.object_key
    now = await world.get(made.id)
    assert (now.status, now.characters_spoken, await lies_at(world, now)) == (
        "completed",
        len(wanted),
        again.object_key,
    )
    assert (other.characters_spoken, await lies_at(world, other)) == (0, again.object_key)
    assert other.rendition_id == rendition_id
    assert await world.objects.exists(again.object_key)


async def test_what_is_another_by_now_or_gone_is_not_made_again(world: World) -> None:
    made = await world.spoken("Still there.")
    told = await lost(world, made)
    told.event.object_key = "another"
    await restore_audio(world.deps, told)
    told.event.generation_id = str(new_id())
    await restore_audio(world.deps, told)
    assert await world.rows("select id from speech_queue where org_id = :org", org=world.org_id) == []


async def test_what_can_be_made_no_more_is_said_to_operators(world: World) -> None:
    made = await world.spoken("With a dictionary.")
    await world.change(
        "update renditions set spec = spec || jsonb_build_object('dictionaries', jsonb_build_array("
        "jsonb_build_array(cast(:id as text), 1))) where id = :rendition",
        id=str(new_id()),
        rendition=UUID(str(made.rendition_id)),
    )
    with pytest.raises(Permanent, match="dictionary"):
        await restore_audio(world.deps, await lost(world, made))
