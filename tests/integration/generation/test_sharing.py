"""Equal requests: what was spoken for one is not spoken again for another."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.ids import new_id
from services.generation.domain.errors import WrongState
from services.generation.domain.requests import Generation
from services.generation.store import renditions
from services.generation.usecases import ending
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text
from tests.support.polling import eventually


async def characters_spoken(world: World, asked: list[Generation]) -> list[int]:
    """Return what the events about completed generations say was spoken for each."""
    told = [await world.emitted(GenerationCompleted, one.id) for one in asked]
    assert [len(each) for each in told] == [1] * len(asked)
    return [each[0].characters_spoken for each in told]


@pytest.mark.parametrize("length", [40, 1_500], ids=["whole", "chunks"])
async def test_twenty_equal_requests_at_once_are_spoken_once(world: World, length: int) -> None:
    voice_id, wanted = await world.known_voice(), long_text(length) or "A short one."
    async with world.working():
        asked = await asyncio.gather(*(world.ask(wanted, voice_id) for _ in range(20)))
        finished = [await world.until(one.id) for one in asked]
    assert {one.status for one in finished} == {"completed"}
    assert len({one.rendition_id for one in finished}) == 1
    assert sorted(world.engine.spoken) == sorted(set(world.engine.spoken)), "a piece was spoken twice"
    spoken = await characters_spoken(world, finished)
    assert sorted(spoken) == [0] * 19 + [len(wanted)]


async def test_a_later_equal_request_is_completed_at_once_and_asks_for_no_quota(world: World) -> None:
    voice_id = await world.known_voice()
    first = await world.spoken("Once is enough.", voice_id)
    asked = len(world.analytics.asked)
    second = await world.ask("Once is enough.", voice_id)
    assert second.status == "completed"
    assert (first.characters_cached, second.characters_cached) == (0, len("Once is enough."))
    assert second.duration_seconds == first.duration_seconds
    assert len(world.analytics.asked) == asked
    assert await characters_spoken(world, [first, second]) == [len("Once is enough."), 0]
    assert len(world.engine.spoken) == 1


async def test_what_is_not_to_be_shared_is_spoken_again(world: World) -> None:
    voice_id = await world.known_voice()
    first = await world.spoken("Every time anew.", voice_id)
    second = await world.spoken("Every time anew.", voice_id, use_cache=False)
    assert first.rendition_id != second.rendition_id
    assert second.characters_spoken == len("Every time anew.")
    assert len(world.engine.spoken) == 2


async def test_formats_of_one_sample_rate_share_what_is_spoken(world: World) -> None:
    voice_id, wanted = await world.known_voice(), long_text(1_500)
    first = await world.spoken(wanted, voice_id, format="wav_22050")
    pieces = len(world.engine.spoken)
    assert pieces > 1
    for output in ("flac_22050", "pcm_22050"):
        again = await world.spoken(wanted, voice_id, format=output)
        assert again.status == "completed"
        assert again.characters_spoken == 0
        assert again.duration_seconds == first.duration_seconds
    assert len(world.engine.spoken) == pieces
    other = await world.spoken(wanted, voice_id, format="pcm_16000")
    assert other.characters_spoken == len(wanted)
    assert len(world.engine.spoken) == 2 * pieces


async def test_organisations_share_nothing(world: World) -> None:
    wanted = long_text(800)
    first = await world.spoken(wanted)
    pieces = len(world.engine.spoken)
    other = world.elsewhere()
    second = await other.spoken(wanted)
    assert second.rendition_id != first.rendition_id
    assert second.characters_spoken == len(wanted)
    assert len(world.engine.spoken) == 2 * pieces


@pytest.mark.parametrize("end", ["canceled", "deleted"])
async def test_whoever_is_left_pays_when_the_first_gives_up(world: World, end: str) -> None:
    voice_id, wanted = await world.known_voice(), "Somebody has to pay for this."
    first, second, third = [await world.ask(wanted, voice_id) for _ in range(3)]
    if end == "canceled":
        await ending.cancel_generation(world.deps, world.caller, first.id)
    else:
        await ending.delete_generation(world.deps, world.caller, first.id)
    async with world.working():
        finished = [await world.until(one.id) for one in (second, third)]
    assert await characters_spoken(world, finished) == [len(wanted), 0]


async def test_whoever_joins_while_the_audio_is_written_down_is_completed_with_it(world: World) -> None:
    first, joined = await world.ask("Just in time."), new_id()

    async def somebody_waits() -> bool:
        waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        return bool(await world.rows(waiting))

    async with contextlib.AsyncExitStack() as stack:
        async with world.database.transaction(world.org_id) as session:
            held = {"first": first.id, "joined": joined}
            await session.execute(text("select from renditions where id = :first for share"), held)
            await session.execute(
                text(
                    "insert into generations select (jsonb_populate_record(g, jsonb_build_object('id', :joined))).* "
                    "from generations g where id = :first"
                ).bindparams(joined=str(joined)),
                {"first": first.id},
            )
            await stack.enter_async_context(world.working())
            await eventually(somebody_waits, what="a worker that has to wait for whoever joins")
        finished = [await world.until(one) for one in (first.id, joined)]
    assert [one.status for one in finished] == ["completed", "completed"]
    assert sorted(await characters_spoken(world, finished)) == [0, len("Just in time.")]


async def test_who_waited_for_what_ended_meanwhile_begins_anew(world: World) -> None:
    """The lock that was waited for stays: whoever went on would take the locks of pieces after a rendition's."""
    asked = await world.ask(long_text(1_500))
    assert asked.rendition_id is not None
    ((fingerprint,),) = await world.rows("select fingerprint from renditions where id = :id", id=asked.rendition_id)

    async def share() -> None:
        async with world.database.transaction(world.org_id) as session:
            await renditions.share_rendition(session, world.org_id, fingerprint)

    async def waits() -> bool:
        return bool(await world.rows("select 1 from pg_locks where not granted"))

    async with world.database.transaction(world.org_id) as session:
        assert await renditions.end_rendition(session, asked.rendition_id, "canceled")
        sharing = asyncio.create_task(share())
        await eventually(waits, within=10, what="somebody who waits for the rendition")
    with pytest.raises(renditions.RenditionEnded):
        await sharing


async def test_a_request_is_accepted_although_an_equal_one_ends_beside_it(world: World) -> None:
    voice_id, wanted = await world.known_voice(), long_text(1_500)
    async with world.working():
        for _ in range(10):
            first = await world.ask(wanted, voice_id)
            with contextlib.suppress(WrongState):
                second, _ = await asyncio.gather(
                    world.ask(wanted, voice_id), ending.cancel_generation(world.deps, world.caller, first.id)
                )
                assert (await world.until(second.id)).status == "completed"
                await ending.delete_generation(world.deps, world.caller, second.id)
