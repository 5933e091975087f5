"""Hearing a generation while it is spoken."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import av
import pytest

from libs.objectstore import ObjectStore, ObjectStoreAddress
from libs.speech.engine import EngineCrashed, RenderJob, TextNotSpeakable
from services.generation.domain import errors
from services.generation.domain.requests import Generation
from services.generation.usecases import ending, streaming
from services.generation.usecases.streaming import Part, StreamBroken
from tests.integration.generation.conftest import World, another_worker
from tests.integration.generation.engine_faults import DEADLY, Stuck, failing
from tests.integration.generation.texts import long_text
from tests.support.servers import Servers


def follow(world: World, generation: Generation) -> AsyncIterator[Part]:
    return streaming.follow(world.deps, world.caller, generation)


def seconds_of(audio: bytes, kind: str) -> float:
    """Return how long a decoder hears a stream."""
    with av.open(io.BytesIO(audio), "r", format=kind) as container:
        return sum((frame.samples / frame.sample_rate for frame in container.decode(audio=0)), start=0.0)


async def test_the_first_part_comes_before_the_last_piece_is_spoken(world: World) -> None:
    wanted = long_text(3_000)
    stuck = Stuck("number 24 ")
    world.engine.on_render = stuck
    asked = await world.ask(wanted, format="mp3_22050_64")
    parts = follow(world, asked)
    async with world.working():
        heard = [await asyncio.wait_for(anext(parts), 15), await asyncio.wait_for(anext(parts), 15)]
        assert heard[1].audio
        assert heard[1].text == wanted[: len(heard[1].text)] != ""
        stuck.may_go_on.set()
        heard += [part async for part in parts]
    assert "".join(part.text for part in heard) == wanted


async def test_the_first_piece_is_heard_before_it_is_kept(world: World) -> None:
    nowhere = ObjectStore(ObjectStoreAddress("http://127.0.0.1:9", "us-east-1", "antiphon", "a", "b"))
    wanted = long_text(1_500)
    asked = await world.ask_to_hear(wanted)
    parts = follow(world, asked)
    async with world.working(another_worker(world.worker, objects=nowhere)):
        heard = [await asyncio.wait_for(anext(parts), 15), await asyncio.wait_for(anext(parts), 15)]
    await nowhere.close()
    assert heard[1].audio
    assert heard[1].text == wanted[: len(heard[1].text)] != ""
    await world.change("update speech_queue set available_at = clock_timestamp()")
    async with world.working():
        heard += [part async for part in parts]
        made = await world.until(asked.id)
    assert "".join(part.text for part in heard) == wanted
    assert made.duration_seconds is not None
    assert seconds_of(b"".join(part.audio for part in heard), "mp3") == pytest.approx(made.duration_seconds, abs=0.15)


async def test_a_first_piece_that_is_there_already_is_heard_from_where_it_is_kept(world: World) -> None:
    voice_id, wanted = await world.known_voice(), long_text(1_500)
    await world.spoken(wanted, voice_id)
    asked = await world.ask_to_hear(f"{wanted} And something else.", voice_id)
    async with world.working():
        heard = [part async for part in follow(world, asked)]
        made = await world.until(asked.id)
    assert "".join(part.text for part in heard) == f"{wanted} And something else."
    assert (made.characters_spoken or 0) < 1_000


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("mp3_22050_64", "mp3"),
        ("wav_22050", "wav"),
        ("opus_48000_64", "ogg"),
        ("flac_22050", "flac"),
        ("aac_24000_64", "aac"),
    ],
)
async def test_what_is_streamed_is_what_a_decoder_wants(world: World, output: str, kind: str) -> None:
    wanted = long_text(1_500)
    asked = await world.ask(wanted, format=output)
    async with world.working():
        parts = [part async for part in follow(world, asked)]
        made = await world.until(asked.id)
    assert made.duration_seconds is not None
    assert seconds_of(b"".join(part.audio for part in parts), kind) == pytest.approx(made.duration_seconds, abs=0.15)
    assert "".join(part.text for part in parts) == wanted
    starts = [time for part in parts for time in part.starts]
    ends = [time for part in parts for time in part.ends]
    assert len(starts) == len(ends) == len(wanted)
    assert all(before <= after for times in (starts, ends) for before, after in pairwise(times))
    assert ends[-1] <= made.duration_seconds + 1e-6


async def test_a_short_text_is_streamed_with_its_times(world: World) -> None:
    asked = await world.ask("A short text.")
    async with world.working():
        parts = [part async for part in follow(world, asked)]
    assert parts[0].text == "A short text."
    assert len(parts[0].starts) == len("A short text.")
    assert all(not part.text for part in parts[1:])
    assert seconds_of(b"".join(part.audio for part in parts), "mp3") > 0.3


@pytest.mark.parametrize("length", [40, 1_500], ids=["whole", "chunks"])
async def test_what_is_finished_can_be_streamed_as_well(world: World, length: int) -> None:
    wanted = long_text(length) or "It is there."
    made = await world.spoken(wanted)
    parts = [part async for part in follow(world, made)]
    assert "".join(part.text for part in parts) == wanted
    assert made.duration_seconds is not None
    assert seconds_of(b"".join(part.audio for part in parts), "mp3") == pytest.approx(made.duration_seconds, abs=0.15)


@pytest.mark.parametrize("length", [0, 800], ids=["whole", "chunks"])
async def test_a_failure_before_the_first_byte_is_an_error(world: World, length: int) -> None:
    async def refuse(_job: RenderJob) -> None:
        raise TextNotSpeakable("there is nothing to say")

    world.engine.on_render = refuse
    asked = await world.ask(f"{long_text(length)}\n\n{DEADLY}".strip())
    async with world.working():
        with pytest.raises(errors.GenerationFailedError, match="nothing to say"):
            await asyncio.wait_for(anext(follow(world, asked)), 15)


async def test_a_cancellation_before_the_first_byte_is_an_error(world: World) -> None:
    asked = await world.ask("Never mind.")
    first = asyncio.ensure_future(anext(follow(world, asked)))
    await ending.cancel_generation(world.deps, world.caller, asked.id)
    with pytest.raises(errors.GenerationFailedError):
        await asyncio.wait_for(first, 15)


async def test_a_failure_later_breaks_the_stream(world: World) -> None:
    stuck = Stuck(DEADLY)
    refuse = failing(9, EngineCrashed("it died"))

    async def wait_and_refuse(job: RenderJob) -> None:
        await stuck(job)
        await refuse(job)

    world.engine.on_render = wait_and_refuse
    asked = await world.ask(f"{long_text(1_500)}\n\n{DEADLY}")
    parts = follow(world, asked)
    async with world.working():
        heard = [await asyncio.wait_for(anext(parts), 15) for _ in range(2)]
        stuck.may_go_on.set()
        with pytest.raises(StreamBroken, match="died"):
            heard += [part async for part in parts]
    assert heard[1].audio


async def test_a_deletion_later_breaks_the_stream(world: World) -> None:
    stuck = Stuck(DEADLY)
    world.engine.on_render = stuck
    asked = await world.ask(f"{long_text(1_500)}\n\n{DEADLY}")
    parts = follow(world, asked)
    async with world.working(drain_seconds=0.1):
        await asyncio.wait_for(anext(parts), 15)
        await ending.delete_generation(world.deps, world.caller, asked.id)
        with pytest.raises(StreamBroken):
            async for _ in parts:
                pass


class Counted(ObjectStore):
    """The object store, of which is noted how often it was read."""

    reads = 0

    async def get(self, key: str) -> bytes:
        self.reads += 1
        return await super().get(key)


async def test_a_slow_reader_has_little_in_memory(world: World, servers: Servers) -> None:
    made = await world.spoken(long_text(5_000))
    assert (made.chunks_total or 0) > 8
    objects = Counted(servers.object_store_address)
    slow = replace(world, deps=replace(world.deps, objects=objects))
    taken = 0
    async for part in follow(slow, made):
        taken += bool(part.text)
        assert objects.reads - taken <= 4, "pieces that nobody has asked for yet"
    assert taken == made.chunks_total
    await objects.close()
