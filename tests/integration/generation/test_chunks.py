"""Long texts: spoken in pieces that texts share, and joined."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, GenerationDeleted, GenerationProgressed
from services.generation.domain.requests import Generation
from services.generation.store.chunks import STEPS
from services.generation.usecases import ending, revising
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text, sentence

RATE = 22_050


async def revised(world: World, former: Generation, wanted: str) -> Generation:
    """Have an edit of a text spoken."""
    asked = await revising.revise_generation(world.deps, world.caller, former, wanted, None, wait_seconds=0)
    async with world.working():
        return await world.until(asked.id)


def assert_heard(wanted: str, starts: Sequence[float], ends: Sequence[float], duration: float) -> None:
    """Check that each character is heard once, in order, within the audio."""
    assert len(starts) == len(ends) == len(wanted)
    assert starts[0] >= 0
    assert all(before <= after for times in (starts, ends) for before, after in pairwise(times))
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert ends[-1] <= duration + 1e-6


async def test_pieces_cover_the_text_and_their_audio_is_its(world: World) -> None:
    wanted = long_text(5_000)
    assert len(wanted) > 4_800
    made = await world.spoken(wanted, format="wav_22050")
    rows = await world.rows("""
        select c.first_character, c.characters, c.reading, s.samples
        from generation_chunks c join speech_cache s using (org_id, cache_key) order by c.idx
    """)
    assert len(rows) > 5
    assert (made.chunks_total, made.chunks_done) == (len(rows), len(rows))
    assert [row.first_character for row in rows] == [
        sum(before.characters for before in rows[:index]) for index in range(len(rows))
    ]
    assert "".join(row.reading for row in rows) == wanted
    samples = sum(row.samples for row in rows)
    (uploaded,) = await world.emitted(AudioRendered, made.id)
    audio = await world.objects.get(uploaded.object_key)
    assert len(audio) == 44 + 2 * samples
    assert made.duration_seconds == uploaded.duration_seconds == pytest.approx(samples / RATE)
    heard = uploaded.alignment
    assert_heard(wanted, heard.start_times, heard.end_times, uploaded.duration_seconds)
    assert len(set(heard.start_times)) > len(wanted) / 3, "times that stand still"


async def test_the_progress_of_a_job_is_told_in_steps_and_that_of_no_other_text(world: World) -> None:
    job = await world.spoken(long_text(14_000), mode="job")
    assert job.chunks_total is not None
    told = [(one.chunks_done, one.chunks_total) for one in await world.emitted(GenerationProgressed, job.id)]
    steps = {share * job.chunks_total // STEPS for share in range(1, STEPS)} | {job.chunks_total}
    assert 5 < len(told) < STEPS
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert all(0 < done < total == job.chunks_total for done, total in told)
    assert len(told) >= len({one for one in steps if one}) - 2
    other = await world.spoken(long_text(4_000))
    assert not await world.emitted(GenerationProgressed, other.id)


async def test_a_job_is_planned_by_a_worker_and_its_alignment_lies_beside_it(world: World) -> None:
    wanted = long_text(9_000)
    made = await world.spoken(wanted, mode="job")
    assert (made.status, made.characters_spoken) == ("completed", len(wanted))
    (uploaded,) = await world.emitted(AudioRendered, made.id)
    assert (uploaded.text, len(uploaded.alignment.start_times)) == ("", 0)
    document = json.loads(await world.objects.get(uploaded.alignment_key))
    assert document["text"] == wanted
    assert_heard(wanted, document["start_times"], document["end_times"], uploaded.duration_seconds + 1e-4)
    await ending.delete_generation(world.deps, world.caller, made.id)
    (told,) = await world.emitted(GenerationDeleted, made.id)
    assert {uploaded.object_key, uploaded.alignment_key} <= set(told.object_keys)


async def test_an_edited_sentence_is_all_that_is_spoken_of_a_revision(world: World) -> None:
    wanted = long_text(4_000)
    former = await world.spoken(wanted)
    world.engine.spoken.clear()
    edited = wanted.replace("number 20 ", "number two hundred ")
    made = await revised(world, former, edited)
    assert made.status == "completed"
    assert made.revised_from == former.id
    (spoken,) = world.engine.spoken
    assert "number two hundred " in spoken
    assert made.characters_spoken == len(spoken)
    assert made.characters_cached == len(edited) - len(spoken)
    world.engine.spoken.clear()
    assert (await revised(world, made, wanted)).status == "completed"
    assert world.engine.spoken == [], "the text as it was is there already"


async def test_a_text_that_is_there_in_other_formats_pieces_is_joined_without_speaking(world: World) -> None:
    voice_id, wanted = await world.known_voice(), long_text(1_200)
    await world.spoken(wanted, voice_id)
    world.engine.spoken.clear()
    again = await world.spoken(wanted, voice_id, use_cache=False)
    assert (again.status, again.characters_spoken) == ("completed", 0)
    assert world.engine.spoken == []


async def test_a_piece_stays_as_long_as_a_text_has_it(world: World) -> None:
    voice_id = await world.known_voice()
    shared, rest = sentence(1), [long_text(800, first=100 * number) for number in (1, 2)]
    first, second = [await world.spoken(f"{shared}\n\n{one}", voice_id) for one in rest]
    shared_keys = await _keys(world, first, second)
    assert len(shared_keys) >= 1
    await ending.delete_generation(world.deps, world.caller, first.id)
    (told,) = await world.emitted(GenerationDeleted, first.id)
    assert not shared_keys & set(told.object_keys)
    for key in shared_keys:
        assert await world.objects.exists(key)
    left = {row.object_key for row in await world.rows("select object_key from speech_cache")}
    assert shared_keys <= left
    await ending.delete_generation(world.deps, world.caller, second.id)
    (last,) = await world.emitted(GenerationDeleted, second.id)
    assert left <= set(last.object_keys)
    assert await world.rows("select 1 from speech_cache") == []


async def _keys(world: World, first: Generation, second: Generation) -> set[str]:
    rows = await world.rows(
        """
        select s.object_key from generation_chunks a
        join generation_chunks b using (org_id, cache_key) join speech_cache s using (org_id, cache_key)
        where a.rendition_id = :first and b.rendition_id = :second
        """,
        first=first.rendition_id,
        second=second.rendition_id,
    )
    return {row.object_key for row in rows}


async def test_a_piece_that_one_of_two_gave_up_is_still_spoken_for_the_other(world: World) -> None:
    voice_id = await world.known_voice()
    shared, rest = sentence(1), [long_text(800, first=100 * number) for number in (1, 2)]
    first, second = [await world.ask(f"{shared}\n\n{one}", voice_id) for one in rest]
    await ending.cancel_generation(world.deps, world.caller, first.id)
    async with world.working():
        made = await world.until(second.id)
    assert made.status == "completed"
    assert any(shared in text for text in world.engine.spoken)
    assert not any("number 100 " in text for text in world.engine.spoken), "what only the canceled text had"


@pytest.mark.parametrize("output", ["mp3_22050_64", "opus_48000_64", "flac_22050", "ulaw_8000"])
async def test_every_kind_of_format_is_joined(world: World, output: str) -> None:
    made = await world.spoken(long_text(900), format=output)
    (uploaded,) = await world.emitted(AudioRendered, made.id)
    assert made.status == "completed"
    assert (await world.objects.digest(uploaded.object_key))[1] == uploaded.size_bytes > 1_000
