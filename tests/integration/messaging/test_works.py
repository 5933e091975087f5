"""Work on the real broker: side by side, tried again later, given back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Consumers, Delivery, Permanent, RetryPolicy, Work, work
from libs.messaging.topology import work_durable
from libs.messaging.works import WorkRunner
from tests.integration.messaging.emitting import (
    Provisioned,
    dead_letters,
    deleted,
    emit,
)
from tests.support.polling import eventually
from tests.support.scratch import STREAM, Scratch


class Jobs:
    """What a work handler of a test did."""

    def __init__(self) -> None:
        self.tries: list[tuple[str, int]] = []
        self.exhausted: list[str] = []
        self.running = 0
        self.most_running = 0


def job(*, fails: Callable[[str, int], Exception | None], concurrency: int = 4) -> Work:
    async def exhausted(delivery: Delivery[VoiceDeleted], deps: Jobs, _reason: str) -> None:
        deps.exhausted.append(delivery.event.object_keys[0])

    @work(VoiceDeleted, concurrency=concurrency, policy=RetryPolicy(delays=(0.05, 0.05)), exhausted=exhausted)
    async def do(delivery: Delivery[VoiceDeleted], deps: Jobs) -> None:
        name = delivery.event.object_keys[0]
        deps.running += 1
        deps.most_running = max(deps.running, deps.most_running)
        try:
            await asyncio.sleep(0.02)
            deps.tries.append((name, delivery.tries))
            error = fails(name, delivery.tries)
            if error is not None:
                raise error
        finally:
            deps.running -= 1

    return do


async def test_work_is_retried_later_and_what_cannot_work_is_buried(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    def fails(name: str, tries: int) -> Exception | None:
        if name == "second time lucky" and tries == 1:
            return RuntimeError("not yet")
        if name == "never":
            return RuntimeError("never")
        return Permanent("no use") if name == "permanent" else None

    jobs = Jobs()
    consumers = Consumers(group, works=(job(fails=fails),))
    await provisioned(consumers)
    runner = WorkRunner(scratch.bus, scratch.database, consumers, jobs)
    await runner.start()
    try:
        async with scratch.relaying():
            org = new_id()
            names = ("fine", "second time lucky", "never", "permanent")
            await emit(scratch, *(deleted(str(new_id()), org, name) for name in names))

            async def two_letters() -> bool:
                return len(await dead_letters(scratch, group)) == 2

            await eventually(two_letters, what="two dead letters")
    finally:
        await runner.stop(5)
    assert sorted(jobs.exhausted) == ["never", "permanent"]
    by_name = {name: [tries for other, tries in jobs.tries if other == name] for name in names}
    assert by_name == {"fine": [1], "second time lucky": [1, 2], "never": [1, 2, 3], "permanent": [1]}


async def test_jobs_run_side_by_side_without_waiting_for_a_full_batch(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    jobs = Jobs()
    consumers = Consumers(group, works=(job(fails=lambda _name, _tries: None, concurrency=4),))
    await provisioned(consumers)
    runner = WorkRunner(scratch.bus, scratch.database, consumers, jobs)
    await runner.start()
    try:
        async with scratch.relaying():
            await emit(scratch, *(deleted(str(new_id()), new_id(), str(number)) for number in range(20)))

            async def all_done() -> bool:
                return len(jobs.tries) == 20

            await eventually(all_done, within=3, what="20 jobs")
    finally:
        await runner.stop(5)
    assert jobs.most_running == 4


async def test_jobs_that_do_not_end_in_time_go_back_at_once_when_a_process_stops(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    release = asyncio.Event()
    done: list[str] = []

    @work(VoiceDeleted, concurrency=2, policy=RetryPolicy(ack_wait=30))
    async def slow(delivery: Delivery[VoiceDeleted], _deps: object) -> None:
        await release.wait()
        done.append(delivery.event.object_keys[0])

    consumers = Consumers(group, works=(slow,))
    await provisioned(consumers)
    first, second = (WorkRunner(scratch.bus, scratch.database, consumers, None) for _ in range(2))
    await first.start()
    async with scratch.relaying():
        await emit(scratch, *(deleted(str(new_id()), new_id(), str(number)) for number in range(8)))
        name = work_durable(group, slow)

        async def taken() -> bool:
            info = await scratch.bus.jetstream.consumer_info(STREAM, name)
            return bool(info.num_ack_pending == 2 and info.num_pending == 6)

        await eventually(taken, what="as many jobs taken as there are hands")
        # They do not end in time: they are cancelled and given back.
        await first.stop(0.2)
        release.set()
        await second.start()

        async def all_done() -> bool:
            return sorted(done) == [str(number) for number in range(8)]

        await eventually(all_done, within=8, what="all jobs, long before the broker would deliver them again by itself")
    await second.stop(5)


async def test_a_failing_job_is_tried_again_later_and_later(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    tries: list[float] = []

    @work(VoiceDeleted, policy=RetryPolicy(delays=(0.4, 0.8)))
    async def fail(_delivery: Delivery[VoiceDeleted], _deps: object) -> None:
        tries.append(time.monotonic())
        raise ValueError("not yet")

    consumers = Consumers(group, works=(fail,))
    await provisioned(consumers)
    runner = WorkRunner(scratch.bus, scratch.database, consumers, None)
    await runner.start()
    try:
        async with scratch.relaying():
            await emit(scratch, deleted(str(new_id()), new_id()))
            await eventually(lambda: dead_letters(scratch, work_durable(group, fail)), what="the dead letter")
    finally:
        await runner.stop(5)
    first, second, third = tries
    # The jitter takes a fifth away at most.
    assert second - first >= 0.3
    assert third - second >= 0.6
