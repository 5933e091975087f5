"""The pool of eSpeak NG's processes: many jobs at once, deaths, cancellations, and the end."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from libs.speech.engine import (
    EngineCrashed,
    EngineTimeout,
    EngineUnavailable,
)
from libs.speech.espeak import LONGEST_TEXT, EspeakEngine
from tests.integration.speech.child_processes import is_there
from tests.integration.speech.espeak_jobs import check, job, running
from tests.support.groups import nice_of_group
from tests.support.polling import eventually


async def test_two_hundred_jobs_at_once_are_all_spoken(engine: EspeakEngine) -> None:
    texts = [f"Job number {number}." for number in range(200)]
    for text, rendered in zip(texts, await asyncio.gather(*(engine.render(job(text)) for text in texts)), strict=True):
        check(text, rendered)


LONG = ("The quick brown fox jumps over the lazy dog. " * 120)[:LONGEST_TEXT]


async def test_the_death_of_a_process_fails_only_its_job(engine: EspeakEngine) -> None:
    running = [asyncio.create_task(engine.render(job(LONG, form="mp3"))) for _ in range(2)]
    await asyncio.wait(running, timeout=0.02)
    os.kill(next(iter(engine.process_ids)), signal.SIGKILL)
    results = await asyncio.gather(*running, return_exceptions=True)
    assert [type(result) for result in results if isinstance(result, BaseException)] == [EngineCrashed]
    check("After that.", await engine.render(job("After that.")))


async def test_a_job_that_takes_too_long_is_ended_and_the_next_one_works() -> None:
    async with running(EspeakEngine(1, timeout_seconds=0.05)) as engine:
        with pytest.raises(EngineTimeout):
            await engine.render(job(LONG, form="mp3"))
        check("Hi.", await engine.render(job("Hi.")))


async def test_a_cancelled_job_leaves_a_pool_that_works(engine: EspeakEngine) -> None:
    task = asyncio.create_task(engine.render(job(LONG, form="mp3")))
    await asyncio.wait({task}, timeout=0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    check("Still here.", await engine.render(job("Still here.")))


async def test_what_nobody_waits_for_yields_to_what_somebody_does(engine: EspeakEngine) -> None:
    foreground = engine.process_ids
    later = [asyncio.create_task(engine.render(job(LONG, form="mp3", background=True))) for _ in range(6)]
    await asyncio.wait(later, return_when=asyncio.FIRST_COMPLETED)
    background = engine.process_ids - foreground
    assert len(background) == 2
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in background} == {10}
    # Among the processes of its own session alone it would be nice to nobody else.
    assert all(os.getsid(pid) == pid for pid in background)
    assert {nice_of_group(pid) for pid in background} <= {10, None}
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in foreground} == {0}
    rendered = await asyncio.wait_for(engine.render(job("Somebody waits.")), 10)
    assert rendered.timings.queue_seconds < 0.05
    assert sum(one.done() for one in later) < len(later)
    await asyncio.gather(*later)


async def test_what_nobody_waits_for_may_take_longer() -> None:
    async with running(EspeakEngine(1, timeout_seconds=1)) as engine:
        (foreground,) = engine.process_ids
        await engine.render(job("Its process is there.", background=True))
        (background,) = engine.process_ids - {foreground}
        for pid in (background, foreground):
            os.kill(pid, signal.SIGSTOP)
        later = asyncio.create_task(engine.render(job("Nobody waits.", background=True)))
        with pytest.raises(EngineTimeout):
            await engine.render(job("Somebody waits."))
        os.kill(background, signal.SIGCONT)
        check("Nobody waits.", await later)
        assert background in engine.process_ids


async def test_closing_ends_what_speaks_in_the_background(engine: EspeakEngine) -> None:
    later = asyncio.create_task(engine.render(job(LONG, form="mp3", background=True)))
    await eventually(lambda: _more_than(engine, 2), what="processes for the background")
    pids = engine.process_ids
    await engine.close()
    with pytest.raises(EngineUnavailable):
        await later
    assert not any(is_there(pid) for pid in pids)
    with pytest.raises(EngineUnavailable):
        await engine.render(job("Too late.", background=True))


async def _more_than(engine: EspeakEngine, processes: int) -> bool:
    return len(engine.process_ids) > processes


async def test_processes_are_replaced_after_their_share_of_jobs() -> None:
    async with running(EspeakEngine(1, recycle_after=3)) as engine:
        first = engine.process_ids
        for number in range(4):
            check(f"Number {number}.", await engine.render(job(f"Number {number}.")))

        async def replaced() -> bool:
            return bool(engine.process_ids) and not first & engine.process_ids

        await eventually(replaced, what="another process")
        check("The next one.", await engine.render(job("The next one.")))


async def test_closing_leaves_no_process_and_takes_no_job() -> None:
    engine = EspeakEngine(2)
    await engine.start()
    pids = engine.process_ids
    assert len(pids) == 2
    await engine.close()

    async def gone() -> bool:
        return not any(is_there(pid) for pid in pids)

    await eventually(gone, what="no process left")
    with pytest.raises(EngineUnavailable):
        await engine.render(job("Too late."))
