"""Workers that are stopped, and workers that die: what they had goes back, and what they made stays."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.database import Database
from tests.integration.generation.conftest import World, another_worker, running
from tests.integration.generation.engine_faults import Stuck
from tests.integration.generation.stand_ins import PROCESSES, Watched
from tests.integration.generation.texts import long_text
from tests.support.polling import eventually


async def test_a_worker_that_is_stopped_gives_its_work_back(world: World) -> None:
    stuck = Stuck()
    world.engine.on_render = stuck
    asked = await world.ask("Let go of me.")
    async with world.working(drain_seconds=0.05):
        await asyncio.wait_for(stuck.begun.wait(), 10)
    assert stuck.canceled.is_set()
    (row,) = await world.rows("select worker, tries, available_at <= clock_timestamp() as is_free from speech_queue")
    assert (row.worker, row.tries, row.is_free) == (None, 0, True)
    assert await world.rows("select 1 from speech_workers") == []
    world.engine.on_render = None
    async with world.working(another_worker(world.worker)):
        assert (await world.until(asked.id)).status == "completed"


async def test_a_worker_that_is_stopped_finishes_what_it_can(world: World) -> None:
    stuck = Stuck()
    world.engine.on_render = stuck
    asked = await world.ask("One moment.")
    async with world.working(drain_seconds=10) as task:
        await asyncio.wait_for(stuck.begun.wait(), 10)
        task.cancel()
        stuck.may_go_on.set()
    assert len(await world.emitted(AudioRendered, asked.id)) == 1


class Severed:
    """A database from which a process can be cut off, as if it had died."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_cut = False

    @asynccontextmanager
    async def transaction(
        self, *org_ids: UUID, holding: str = "", forgettable: bool = False
    ) -> AsyncIterator[AsyncSession]:
        if self.is_cut:
            raise ConnectionResetError("the process is dead")
        async with self._database.transaction(*org_ids, holding=holding, forgettable=forgettable) as session:
            yield session

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[AsyncSession]:
        if self.is_cut:
            raise ConnectionResetError("the process is dead")
        async with self._database.apart() as session:
            yield session


async def test_after_a_worker_died_another_goes_on_where_it_was(world: World) -> None:
    wanted = long_text(3_000)
    asked = await world.ask(wanted)
    (planned,) = await world.rows("select count(*) as pieces from generation_chunks")
    stuck = Stuck("number 9 ")
    dying = Watched(world.engine.engine, on_render=stuck)
    database = Severed(world.database)
    doomed = another_worker(world.worker, dying, database=database)
    with contextlib.suppress(ConnectionResetError):
        async with running(world.bench(doomed, slots=2, drain_seconds=0)):
            await eventually(
                lambda: world.rows("select 1 from speech_cache where object_key is not null offset 3"),
                what="four finished pieces",
            )
            await asyncio.wait_for(stuck.begun.wait(), 10)
            database.is_cut = True
    finished = {row.reading for row in await world.rows(_FINISHED)}
    held = await world.rows("select 1 from speech_queue where worker = :worker", worker=doomed.worker_id)
    assert held, "who died gives nothing back"
    assert 4 <= len(finished) < planned.pieces
    await world.change("update speech_queue set available_at = clock_timestamp() where worker is not null")
    async with world.working(another_worker(world.worker)):
        completed = await world.until(asked.id)
    assert completed.status == "completed"
    assert not finished & set(world.engine.spoken), "a finished piece was spoken again"
    assert set(world.engine.spoken) | finished == {
        row.reading for row in await world.rows("select reading from generation_chunks")
    }
    assert max(Counter(world.engine.spoken).values()) == 1
    assert completed.characters_spoken == len(wanted)


_FINISHED = """
    select c.reading from generation_chunks c join speech_cache s using (org_id, cache_key)
    where s.object_key is not null
"""


async def test_work_that_workers_keep_dying_of_is_given_up(world: World) -> None:
    asked = await world.ask("Nobody survives this.")
    await world.change("update speech_queue set tries = 8")
    async with world.working():
        failed = await world.until(asked.id)
    assert (failed.status, failed.error_code) == ("failed", "engine_failed")
    assert world.engine.spoken == []


async def test_a_bench_says_that_it_is_there_and_what_it_has(world: World) -> None:
    async with world.working():
        (row,) = await eventually(lambda: world.rows("select * from speech_workers"), what="the worker")
        assert row.id == world.worker.worker_id
        assert row.engine_processes == PROCESSES
    assert await world.rows("select 1 from speech_workers") == []
