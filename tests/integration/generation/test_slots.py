"""How much a worker takes at a time: as much as its engines have slots, and more while speech is being kept."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from libs.objectstore import ObjectStore
from libs.objectstore.objects import Digests
from services.generation.rendering import bench
from services.generation.usecases import offering
from tests.integration.generation.conftest import World, another_worker
from tests.integration.generation.engine_faults import Stuck
from tests.integration.generation.stand_ins import PROCESSES
from tests.integration.generation.texts import long_text
from tests.support.polling import eventually
from tests.support.servers import Servers

SLOTS = 2 * PROCESSES


async def _are_taken(world: World, count: int) -> bool:
    return len(await world.rows("select 1 from speech_queue where worker is not null")) >= count


class Held(ObjectStore):
    """The object store, which keeps everybody waiting who writes."""

    def __init__(self, servers: Servers) -> None:
        super().__init__(servers.object_store_address)
        self.waiting = 0
        self.may_go_on = asyncio.Event()

    async def put_checked(self, key: str, content: bytes, content_type: str) -> Digests:
        self.waiting += 1
        await self.may_go_on.wait()
        return await super().put_checked(key, content, content_type)


async def test_while_speech_is_kept_the_next_is_spoken_up_to_a_limit(world: World, servers: Servers) -> None:
    objects = Held(servers)
    voice_id = await world.known_voice()
    asked = [await world.ask(f"Text number {number}.", voice_id) for number in range(8)]

    async def are_spoken() -> bool:
        return objects.waiting == bench.AT_ONCE * 2

    async with world.working(another_worker(world.worker, objects=objects), slots=2):
        await eventually(are_spoken, what="more spoken than there are slots")
        taken = await world.rows("select 1 from speech_queue where worker is not null")
        assert len(taken) == bench.AT_ONCE * 2 < len(asked)
        objects.may_go_on.set()
        for one in asked:
            assert (await world.until(one.id)).status == "completed"
    await objects.close()


@pytest.mark.parametrize("is_long", [False, True], ids=["short texts", "pieces"])
async def test_pieces_of_a_long_text_do_not_wait_beside_a_busy_engine(
    world: World, monkeypatch: pytest.MonkeyPatch, *, is_long: bool
) -> None:
    monkeypatch.setattr(bench, "SHORT", 50)
    stuck = Stuck()
    world.engine.on_render = stuck
    voice_id = await world.known_voice()
    asked = [await world.ask(long_text(3_000), voice_id)] if is_long else []
    asked += [await world.ask(f"Text number {number}.", voice_id) for number in range(0 if is_long else 8)]
    taken = PROCESSES if is_long else SLOTS

    async with world.working(slots=SLOTS):
        await eventually(partial(_are_taken, world, taken), what="work at the engines")
        assert len(await world.rows("select 1 from speech_queue where worker is not null")) == taken
        stuck.may_go_on.set()
        for one in asked:
            assert (await world.until(one.id)).status == "completed"


async def test_who_did_not_get_a_slot_for_offers_is_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers had filled all: of who waits in the queue nobody is told again."""
    monkeypatch.setattr(bench, "POLL_SECONDS", 20.0)
    monkeypatch.setattr(offering, "ANSWER_SECONDS", 0.2)
    stuck = Stuck("number")
    world.engine.on_render = stuck
    voice_id = await world.known_voice()
    async with world.working(slots=SLOTS):
        await world.at_work()
        jobs = [await world.ask(f"Job number {number}.", voice_id, mode="job") for number in range(PROCESSES)]
        await eventually(partial(_are_taken, world, PROCESSES), what="the jobs at work")
        asked = [await world.ask(f"Text number {number}.", voice_id) for number in range(SLOTS + 2)]
        stuck.may_go_on.set()
        for one in (*jobs, *asked):
            assert (await world.until(one.id, within=10)).status == "completed"
