"""The speech queue: whose work is next, and who has it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from libs.ids import new_id
from libs.messaging import connect
from services.generation.domain.load import Pace, Waiting
from services.generation.store import queue, taking, workload
from services.generation.store.queue import INTERACTIVE, JOB, NewWork, Work
from tests.integration.generation.conftest import World
from tests.support.polling import eventually
from tests.support.servers import Servers

ENGINE = "espeak-ng"


def piece(org_id: UUID, *, characters: int = 100, priority: int = INTERACTIVE, most_at_once: int = 1000) -> NewWork:
    return NewWork(
        org_id=org_id,
        kind="whole",
        rendition_id=new_id(),
        priority=priority,
        characters=characters,
        most_at_once=most_at_once,
        engine=ENGINE,
    )


async def put(world: World, *work: NewWork) -> None:
    async with world.database.transaction() as session:
        await queue.enqueue(session, work)


async def take(world: World, worker: UUID, most: int = 1, engines: Sequence[str] = (ENGINE,)) -> list[Work]:
    async with world.database.transaction() as session:
        taken = await taking.take(session, worker, most, engines)
        return await taking.within_shares(session, taken) if taking.is_limited(taken) else taken


async def end_leases(world: World) -> None:
    """Let as much time pass as leases last."""
    statement = "update speech_queue set available_at = available_at - make_interval(secs => :seconds)"
    await world.change(statement, seconds=queue.LEASE_SECONDS)


async def test_a_long_backlog_does_not_come_before_anothers_first_request(world: World) -> None:
    many, few, worker = new_id(), new_id(), new_id()
    await put(world, *(piece(many) for _ in range(1_000)))
    await put(world, piece(few))
    assert few in {one.org_id for one in await take(world, worker, 3)}


async def test_taking_does_not_read_what_waits(world: World) -> None:
    backlog, worker = new_id(), new_id()
    await put(world, *(piece(backlog, priority=JOB) for _ in range(5_000)))
    await put(world, piece(new_id(), most_at_once=3))
    read = text("select seq_tup_read from pg_stat_xact_user_tables where relname = 'speech_queue'")
    for _ in range(3):
        async with world.database.transaction() as session:
            before = (await session.execute(read)).scalar_one()
            taken = await taking.take(session, worker, 5, [ENGINE])
            await taking.within_shares(session, taken)
            assert (await session.execute(read)).scalar_one() == before
        assert len(taken) == 5


async def test_two_backlogs_are_taken_evenly_by_characters(world: World) -> None:
    long, short, worker = new_id(), new_id(), new_id()
    await put(world, *(piece(long, characters=400) for _ in range(50)))
    await put(world, *(piece(short, characters=100) for _ in range(200)))
    taken = Counter[UUID]()
    for one in await take(world, worker, 100):
        taken[one.org_id] += one.characters
    assert abs(taken[long] - taken[short]) <= 500


async def test_whoever_was_idle_has_saved_nothing_up(world: World) -> None:
    busy, idle, worker = new_id(), new_id(), new_id()
    await put(world, *(piece(busy) for _ in range(40)))
    for one in await take(world, worker, 20):
        async with world.database.transaction() as session:
            assert await queue.finish(session, one, worker)
    await put(world, *(piece(idle) for _ in range(40)))
    taken = Counter(one.org_id for one in await take(world, worker, 20))
    assert abs(taken[busy] - taken[idle]) <= 2


async def test_interactive_work_comes_before_all_jobs(world: World) -> None:
    org_id, worker = new_id(), new_id()
    await put(world, *(piece(org_id, priority=JOB) for _ in range(20)))
    await put(world, *(piece(new_id(), priority=INTERACTIVE) for _ in range(3)))
    assert [one.priority for one in await take(world, worker, 5)] == [INTERACTIVE] * 3 + [JOB] * 2


@pytest.mark.parametrize("most", [1, 8], ids=["one at a time", "eight at a time"])
async def test_no_organisation_has_more_done_at_once_than_its_plan_allows(world: World, most: int) -> None:
    limited, worker = new_id(), new_id()
    await put(world, *(piece(limited, most_at_once=3) for _ in range(20)))
    await put(world, *(piece(new_id()) for _ in range(4)))
    taken = [one for _ in range(8) for one in await take(world, worker, most)]
    assert Counter(one.org_id for one in taken)[limited] == 3
    assert len(taken) == 7, "what others have waiting is not held up"
    first = next(one for one in taken if one.org_id == limited)
    async with world.database.transaction() as session:
        assert await queue.finish(session, first, worker)
    again = [one for _ in range(4) for one in await take(world, worker, most)]
    assert [one.org_id for one in again] == [limited]


async def test_twenty_takers_do_not_exceed_a_plan_together(world: World) -> None:
    limited = new_id()
    await put(world, *(piece(limited, most_at_once=3) for _ in range(60)))
    taken = await asyncio.gather(*(take(world, new_id(), 2) for _ in range(20)))
    assert sum(map(len, taken)) == 3


async def test_twenty_takers_never_have_the_same_piece(world: World) -> None:
    await put(world, *(piece(new_id()) for _ in range(100)))

    async def worker() -> list[UUID]:
        mine: list[UUID] = []
        while work := await take(world, new_id(), 3):
            mine += [one.id for one in work]
        return mine

    taken = [one for each in await asyncio.gather(*(worker() for _ in range(20))) for one in each]
    assert len(taken) == len(set(taken)) == 100


async def test_work_whose_lease_ran_out_is_taken_again(world: World) -> None:
    first, second = new_id(), new_id()
    await put(world, piece(new_id()))
    (mine,) = await take(world, first)
    assert await take(world, second) == []
    await end_leases(world)
    (theirs,) = await take(world, second)
    assert (theirs.id, theirs.tries) == (mine.id, 2)
    async with world.database.transaction() as session:
        assert await queue.renew(session, first, [mine.id]) == set()
        assert not await queue.finish(session, mine, first)
        assert await queue.finish(session, theirs, second)


async def test_a_renewed_lease_is_kept(world: World) -> None:
    worker = new_id()
    await put(world, piece(new_id()))
    (mine,) = await take(world, worker)
    await end_leases(world)
    async with world.database.transaction() as session:
        assert await queue.renew(session, worker, [mine.id]) == {mine.id}
    assert await take(world, new_id()) == []
    async with world.database.transaction() as session:
        assert await queue.finish(session, mine, worker)


async def test_a_lease_lasts_as_long_as_it_says(world: World) -> None:
    await put(world, piece(new_id()))
    await take(world, new_id())
    (row,) = await world.rows(
        "select extract(epoch from available_at - clock_timestamp()) as seconds from speech_queue"
    )
    assert queue.LEASE_SECONDS - 3 < row.seconds <= queue.LEASE_SECONDS


async def test_work_that_is_given_back_waits_as_long_as_it_is_told(world: World) -> None:
    worker = new_id()
    await put(world, piece(new_id()))
    (mine,) = await take(world, worker)
    async with world.database.transaction() as session:
        await queue.give_back(session, worker, [mine.id], after_seconds=5.0, died=True)
    assert await take(world, worker) == []
    await world.change("update speech_queue set available_at = available_at - interval '5 seconds'")
    (again,) = await take(world, worker)
    assert (again.id, again.tries, again.deaths) == (mine.id, 2, 1)
    async with world.database.transaction() as session:
        await queue.give_back(session, worker, [again.id], untried=True)
    (untried,) = await take(world, worker)
    assert (untried.tries, untried.deaths) == (2, 1)


async def test_nobody_gives_back_what_another_has(world: World) -> None:
    first, second = new_id(), new_id()
    await put(world, piece(new_id()))
    (mine,) = await take(world, first)
    async with world.database.transaction() as session:
        await queue.give_back(session, second, [mine.id])
        assert not await queue.finish(session, mine, second)
    assert await take(world, second) == []


async def test_work_waits_for_a_worker_with_its_engine(world: World) -> None:
    org_id = new_id()
    await put(world, replace(piece(org_id), engine="another"), replace(piece(org_id), engine=None, kind="plan"))
    assert [one.kind for one in await take(world, new_id(), 5)] == ["plan"]
    assert len(await take(world, new_id(), 5, ("another",))) == 1


async def test_a_piece_that_two_texts_want_is_queued_once_and_waits_for_the_more_urgent(world: World) -> None:
    org_id, key = new_id(), "a" * 64
    job = replace(piece(org_id, priority=JOB), kind="chunk", cache_key=key)
    await put(world, job, *(piece(new_id(), priority=JOB) for _ in range(3)))
    await put(world, replace(job, priority=INTERACTIVE, rendition_id=new_id()))
    taken = await take(world, new_id(), 10)
    assert len(taken) == 4
    assert (taken[0].cache_key, taken[0].priority) == (key, INTERACTIVE)


async def test_polling_finds_work_of_which_no_signal_told(world: World, servers: Servers) -> None:
    bus = await connect(servers.nats("generation"), "test without a voice")
    await bus.close()
    mute = replace(world, deps=replace(world.deps, bus=bus))
    async with world.working():
        await eventually(lambda: world.rows("select 1 from speech_workers"), what="the bench at work")
        asked = await mute.ask("Nobody was told.")
        assert (await mute.until(asked.id, within=5)).status == "completed"


async def test_the_backlog_counts_what_waits_and_how_fast_it_goes(world: World) -> None:
    one, other, worker = new_id(), new_id(), new_id()
    await put(world, piece(one, characters=300), piece(one, characters=10), piece(other, characters=7))
    await put(world, piece(one, characters=50, priority=JOB))
    async with world.database.transaction() as session:
        await workload.save_worker(session, worker, processes=2, pace=Pace(0.25, 0.0625))
        await workload.save_worker(session, new_id(), processes=1, pace=Pace(0.25, 0.0625))
        backlog = await workload.get_backlog(session)
    assert backlog.waiting == {
        (one, INTERACTIVE): Waiting(2, 310),
        (one, JOB): Waiting(1, 50),
        (other, INTERACTIVE): Waiting(1, 7),
    }
    assert (backlog.workers, backlog.pace) == (2, Pace(0.125, 0.03125))
    async with world.database.transaction() as session:
        await session.execute(text("update speech_workers set seen_at = now() - interval '11 seconds'"))
        assert (await workload.get_backlog(session)).workers == 0
        await workload.delete_workers(session, worker)
    assert len(await world.rows("select 1 from speech_workers")) == 1
