"""Pieces of speech whose objects are lost or damaged: found, spoken again, and never joined as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import make_url

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioLost
from libs.database import Database
from libs.ids import new_id
from libs.messaging import Delivery
from libs.objectstore.checking import Pace
from libs.speech.engine import PermanentSpeechError, RenderJob
from services.generation.domain.pieces import whole_piece
from services.generation.domain.requests import Generation
from services.generation.store.losses import KeptPiece
from services.generation.usecases import ending, streaming
from services.generation.usecases.respeaking import order_piece
from services.generation.usecases.restoring import restore_audio
from services.generation.usecases.verifying import PieceFlaw, verify_pieces
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text
from tests.support.polling import eventually
from tests.support.servers import Servers

FAST = 1e12
TEXT = long_text(1_200)


@pytest.fixture
async def administrator(servers: Servers) -> AsyncIterator[Database]:
    """The service's database without row-level security."""
    url = str(make_url(servers.postgres_url).set(username="antiphon", database="antiphon_generation"))
    opened = Database(url, servers.secret("postgres_admin"), application="test")
    yield opened
    await opened.close()


async def flaws(world: World, administrator: Database) -> list[PieceFlaw]:
    """What is wrong with the organisation's pieces; other tests leave theirs."""
    steps = [done async for done in verify_pieces(administrator, world.objects, Pace(FAST))]
    return [flaw for flaw in steps[-1].flaws if flaw.kept.org_id == world.org_id]


async def pieces(world: World) -> list[KeptPiece]:
    rows = await world.rows(
        "select org_id, cache_key, object_key, samples, sha256 from speech_cache order by object_key"
    )
    return [KeptPiece(**row._asdict()) for row in rows]


async def damage(world: World, key: str) -> None:
    """Change one sample, so that the form stays whole."""
    content = bytearray(await world.objects.get(key))
    content[-100] ^= 0xFF
    await world.objects.put(key, bytes(content), "application/octet-stream")


async def assert_joined(world: World, generation: Generation) -> None:
    """Check that the audio, a WAV, is the pieces as they are kept by now, in their order, and none is flawed."""
    assert generation.rendition_id is not None
    rows = await world.rows(
        "select s.object_key, s.sha256, s.samples from generation_chunks c"
        " join speech_cache s using (org_id, cache_key) where c.rendition_id = :id order by c.idx",
        id=generation.rendition_id,
    )
    assert len(rows) == generation.chunks_total
    contents = [(row, await world.objects.get(row.object_key)) for row in rows]
    kept = [whole_piece(content, sha256=row.sha256, samples=row.samples).segment for row, content in contents]
    uploaded = await world.emitted(AudioRendered, generation.rendition_id)
    audio = await world.objects.get(uploaded[-1].object_key)
    assert audio[44:] == b"".join(kept)


async def test_what_is_missing_or_damaged_is_found_and_nothing_else(world: World, administrator: Database) -> None:
    await world.spoken(TEXT)
    assert await flaws(world, administrator) == []
    missing, damaged, cut = (await pieces(world))[:3]
    await world.objects.delete(missing.object_key)
    await damage(world, damaged.object_key)
    await world.objects.put(cut.object_key, (await world.objects.get(cut.object_key))[:50], "application/octet-stream")
    found = {flaw.kept: flaw.condition for flaw in await flaws(world, administrator)}
    assert found == {missing: "missing", damaged: "damaged", cut: "damaged"}


async def test_of_pieces_without_a_digest_form_and_length_are_looked_at(world: World, administrator: Database) -> None:
    await world.spoken(TEXT)
    await world.change("update speech_cache set sha256 = null")
    assert await flaws(world, administrator) == []
    cut, other, *_ = await pieces(world)
    await world.objects.put(cut.object_key, (await world.objects.get(cut.object_key))[:50], "application/octet-stream")
    await world.objects.put(other.object_key, b"RIFF" + bytes(100), "application/octet-stream")
    assert {flaw.kept for flaw in await flaws(world, administrator)} == {cut, other}


async def test_what_is_found_is_spoken_again_once_and_nobody_pays(world: World, administrator: Database) -> None:
    voice_id = await world.known_voice()
    former = await world.spoken(TEXT, voice_id, format="wav_22050")
    missing, damaged, *_ = await pieces(world)
    await world.objects.delete(missing.object_key)
    await damage(world, damaged.object_key)
    world.engine.spoken.clear()
    found = await flaws(world, administrator)
    assert [await order_piece(administrator, flaw.kept) for flaw in found] == [True, True]
    assert [await order_piece(administrator, flaw.kept) for flaw in found] == [False, False]
    again = await world.ask(TEXT, voice_id, use_cache=False, format="wav_22050")
    async with world.working():
        made = await world.until(again.id)
    assert len(world.engine.spoken) == 2
    assert (made.characters_spoken, (await world.get(former.id)).characters_spoken) == (0, len(TEXT))
    await assert_joined(world, made)
    assert await flaws(world, administrator) == []
    await counts_are_right(world)


async def counts_are_right(world: World) -> None:
    """What renditions say of their pieces is what there is."""
    wrong = await world.rows(
        "select r.id, r.chunks_done, r.chunks_total from renditions r where r.chunks_total <> r.chunks_done or"
        " r.chunks_total <> (select count(*) from generation_chunks c join speech_cache s using (org_id, cache_key)"
        " where c.rendition_id = r.id and s.object_key is not null)"
    )
    assert wrong == []


@pytest.mark.parametrize("how", ["missing", "damaged"])
async def test_nothing_is_joined_of_what_is_lost(world: World, how: str) -> None:
    """Nobody has verified anything: the worker finds it when it joins."""
    voice_id = await world.known_voice()
    await world.spoken(TEXT, voice_id, format="wav_22050")
    lost = (await pieces(world))[:2]
    for piece in lost:
        await (world.objects.delete(piece.object_key) if how == "missing" else damage(world, piece.object_key))
    world.engine.spoken.clear()
    made = await world.spoken(TEXT, voice_id, use_cache=False, format="wav_22050")
    assert (made.status, made.characters_spoken, len(world.engine.spoken)) == ("completed", 0, 2)
    await assert_joined(world, made)
    await counts_are_right(world)


async def test_lost_audio_comes_back_though_its_pieces_are_lost_too(world: World) -> None:
    former = await world.spoken(TEXT, format="wav_22050")
    for piece in (await pieces(world))[:2]:
        await world.objects.delete(piece.object_key)
    (row,) = await world.rows("select object_key from renditions where id = :id", id=former.rendition_id)
    await world.objects.delete(row.object_key)
    event = AudioLost(generation_id=str(former.rendition_id), org_id=str(world.org_id), object_key=row.object_key)
    await restore_audio(world.deps, Delivery(event, str(new_id()), 1))
    async with world.working():
        assert former.rendition_id is not None
        told = len(await world.emitted(AudioRendered, former.rendition_id))
        assert told == 1
        await made_again(world, former, row.object_key)
    await assert_joined(world, former)
    await counts_are_right(world)


async def made_again(world: World, generation: Generation, former_key: str) -> None:
    """Wait until audio is another object."""

    async def is_other() -> bool:
        query = "select object_key from renditions where id = :id and status = 'completed'"
        rows = await world.rows(query, id=generation.rendition_id)
        return bool(rows) and rows[0].object_key != former_key

    await eventually(is_other, within=30, what="the audio to be made again")


async def test_who_gives_up_waiting_for_a_lost_piece_leaves_it_to_the_others(
    world: World, administrator: Database
) -> None:
    voice_id = await world.known_voice()
    former = await world.spoken(TEXT, voice_id)
    lost, *_ = await pieces(world)
    await world.objects.delete(lost.object_key)
    assert await order_piece(administrator, lost)
    waiting = await world.ask(TEXT, voice_id, use_cache=False)
    await ending.cancel_generation(world.deps, world.caller, waiting.id)
    async with world.working():
        await eventually(lambda: _all_spoken(world), within=30, what="the lost piece")
    assert (await world.get(former.id)).status == "completed"
    await counts_are_right(world)


async def _all_spoken(world: World) -> bool:
    return not await world.rows("select 1 from speech_cache where object_key is null")


async def test_a_lost_piece_that_could_not_be_spoken_again_is_spoken_for_the_next_who_wants_it(
    world: World, administrator: Database
) -> None:
    voice_id = await world.known_voice()
    former = await world.spoken(TEXT, voice_id)
    lost, *_ = await pieces(world)
    await world.objects.delete(lost.object_key)
    assert await order_piece(administrator, lost)

    async def refuse(_job: RenderJob) -> None:
        raise PermanentSpeechError("not today")

    world.engine.on_render = refuse
    async with world.working():
        await eventually(lambda: _none_queued(world), within=30, what="the piece to be given up")
    world.engine.on_render = None
    # The completed text keeps its place for it, and whoever wants it next has it spoken.
    (row,) = await world.rows(
        "select count(*) as pieces from generation_chunks where rendition_id = :id", id=former.rendition_id
    )
    assert (row.pieces, (await world.get(former.id)).status) == (former.chunks_total, "completed")
    assert (await world.spoken(TEXT, voice_id, use_cache=False)).status == "completed"
    await counts_are_right(world)


async def _none_queued(world: World) -> bool:
    return not await world.rows("select 1 from speech_queue where org_id = :org", org=world.org_id)


async def test_what_is_heard_while_it_is_spoken_ends_where_a_piece_is_damaged(world: World) -> None:
    made = await world.spoken(TEXT)
    await damage(world, (await piece_of(world, made, 1)))
    parts = streaming.follow(world.deps, world.caller, await world.get(made.id))
    for _ in range(2):
        await anext(parts)  # the head, and the first piece
    with pytest.raises(streaming.StreamBroken):
        await anext(parts)


async def piece_of(world: World, generation: Generation, number: int) -> str:
    rows = await world.rows(
        "select s.object_key from generation_chunks c join speech_cache s using (org_id, cache_key)"
        " where c.rendition_id = :id and c.idx = :number",
        id=generation.rendition_id,
        number=number,
    )
    return str(rows[0].object_key)


async def test_what_was_deleted_meanwhile_is_no_flaw_and_is_not_spoken(world: World, administrator: Database) -> None:
    made = await world.spoken(TEXT)
    lost, *_ = await pieces(world)
    await world.objects.delete(lost.object_key)
    (flaw,) = await flaws(world, administrator)
    await ending.delete_generation(world.deps, world.caller, made.id)
    assert not await order_piece(administrator, flaw.kept)
    assert await flaws(world, administrator) == []
