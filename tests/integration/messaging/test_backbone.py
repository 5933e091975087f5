"""Outbox, relay, projections and work on the real database and broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg
import pytest
from nats.js.api import RawStreamMsg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated, VoiceDeleted, VoiceReady
from libs.ids import new_id
from libs.messaging import Consumers, Delivery, Permanent, Projection, RetryPolicy, Work, projection, work
from libs.messaging.projections import ProjectionRunner
from libs.messaging.topology import DEAD_LETTERS, projection_durable, work_durable
from libs.messaging.upkeep import Upkeep
from libs.messaging.works import WorkRunner
from libs.outbox import Relay
from libs.outbox.shards import LEADER_LOCK, Shard
from tests.support.polling import eventually
from tests.support.scratch import SERVICE, STREAM, Scratch

Provisioned = Callable[[Consumers], Awaitable[None]]


def deleted(voice_id: str, org_id: UUID, key: str = "") -> VoiceDeleted:
    return VoiceDeleted(voice_id=voice_id, org_id=str(org_id), object_keys=[key])


async def emit(scratch: Scratch, *events: VoiceDeleted | VoiceCreated | VoiceReady) -> list[UUID]:
    async with scratch.database.transaction() as session:
        return [outbox.add(session, event) for event in events]


def recorder(only: str = "", policy: RetryPolicy | None = None) -> Projection:
    """A projection that writes down what it is given; it cannot apply events whose key is `only`."""

    @projection(VoiceDeleted, policy=policy)
    async def note(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
        for event in events:
            if only and event.object_keys[0] == only:
                raise ValueError("this one cannot be applied")
            await session.execute(
                text("insert into applied (aggregate, name) values (:aggregate, :name)"),
                {"aggregate": event.voice_id, "name": event.object_keys[0]},
            )

    return note


async def applied(scratch: Scratch, aggregates: Sequence[str]) -> list[str]:
    rows = await scratch.fetch(
        "select name from applied where aggregate = any($1::text[]) order by position", list(aggregates)
    )
    return [row["name"] for row in rows]


class running_projection:  # noqa: N801 - reads as a block
    def __init__(self, scratch: Scratch, consumers: Consumers) -> None:
        self.runner = ProjectionRunner(
            scratch.bus,
            scratch.database,
            stream=STREAM,
            durable=projection_durable(consumers.group),
            projections=consumers.projections,
        )

    async def __aenter__(self) -> ProjectionRunner:
        self.task = asyncio.create_task(self.runner.run())
        return self.runner

    async def __aexit__(self, *_error: object) -> None:
        self.runner.stop()
        await asyncio.wait_for(self.task, 10)


async def test_an_event_reaches_a_projection_in_order_and_lies_in_the_archive(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(recorder(),))
    await provisioned(consumers)
    org, voice = new_id(), str(new_id())
    async with scratch.relaying(), running_projection(scratch, consumers):
        for start in range(0, 200, 20):
            await emit(scratch, *(deleted(voice, org, f"{number:04}") for number in range(start, start + 20)))
        expected = [f"{number:04}" for number in range(200)]

        async def all_applied() -> bool:
            return await applied(scratch, [voice]) == expected

        await eventually(all_applied, what="200 events in their order")
        assert await scratch.fetch("select 1 from outbox") == []
        assert (await scratch.fetch("select count(*) as n from outbox_sent"))[0]["n"] == 200


async def test_a_rolled_back_transaction_emits_nothing(scratch: Scratch) -> None:
    async def add_and_fail() -> None:
        async with scratch.database.transaction() as session:
            outbox.add(session, deleted(str(new_id()), new_id()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await add_and_fail()
    assert await scratch.fetch("select 1 from outbox") == []


async def test_an_event_delivered_twice_is_applied_once(scratch: Scratch, group: str, provisioned: Provisioned) -> None:
    consumers = Consumers(group, projections=(recorder(),))
    await provisioned(consumers)
    org, voice = new_id(), str(new_id())
    async with scratch.relaying(), running_projection(scratch, consumers):
        await emit(scratch, deleted(voice, org, "once"))
        await eventually(lambda: applied(scratch, [voice]))
        (sent,) = await scratch.fetch("select * from outbox_sent")
        # As after a broker that forgot: the same event again, under a message id that it does not know.
        await scratch.bus.jetstream.publish(
            sent["subject"],
            sent["payload"],
            headers={
                "ce-id": str(sent["event_id"]),
                "ce-type": sent["type_name"],
                "ce-subject": voice,
                "ce-orgid": str(org),
            },
        )
        await emit(scratch, deleted(voice, org, "after"))

        async def second_applied() -> bool:
            return "after" in await applied(scratch, [voice])

        await eventually(second_applied)
    assert await applied(scratch, [voice]) == ["once", "after"]


async def test_in_a_failing_batch_the_good_events_are_applied_and_the_bad_one_becomes_a_dead_letter(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(recorder(only="bad", policy=RetryPolicy(delays=(0.05,))),))
    await provisioned(consumers)
    org, voice = new_id(), str(new_id())
    names = [f"good{number}" for number in range(40)]
    await emit(scratch, *(deleted(voice, org, name) for name in [*names[:20], "bad", *names[20:]]))
    async with scratch.relaying(), running_projection(scratch, consumers):

        async def good_applied() -> bool:
            return await applied(scratch, [voice]) == names

        await eventually(good_applied, what="all good events, in order")
        letters = await eventually(lambda: dead_letters(scratch, group), what="the dead letter")
    (letter,) = letters
    assert VoiceDeleted.FromString(letter.data or b"").object_keys == ["bad"]
    headers = letter.headers or {}
    assert headers["dlq-error"] == "ValueError: this one cannot be applied"
    assert headers["ce-type"] == "antiphon.voice.v1.VoiceDeleted"
    assert headers["dlq-tries"] == "2"


async def test_bytes_that_do_not_decode_become_a_dead_letter_at_once(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(recorder(),))
    await provisioned(consumers)
    async with running_projection(scratch, consumers):
        await scratch.bus.jetstream.publish(
            "evt.voice.voice_deleted.v1",
            b"\xff\xff\xff",
            headers={"ce-id": str(new_id()), "ce-type": "antiphon.voice.v1.VoiceDeleted"},
        )
        letters = await eventually(lambda: dead_letters(scratch, group))
    assert letters[0].headers is not None
    assert letters[0].headers["dlq-tries"] == "1"


async def dead_letters(scratch: Scratch, group: str) -> list[RawStreamMsg]:
    """All dead letters of consumers of `group`."""
    info = await scratch.bus.jetstream.stream_info(DEAD_LETTERS)
    found = []
    for sequence in range(info.state.first_seq or 1, info.state.last_seq + 1):
        message = await scratch.bus.jetstream.get_msg(DEAD_LETTERS, sequence)
        if (message.headers or {}).get("dlq-consumer", "").startswith(group):
            found.append(message)
    return found


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
    runner = WorkRunner(scratch.bus, consumers, jobs)
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
    runner = WorkRunner(scratch.bus, consumers, jobs)
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


async def test_only_one_relay_leads_and_another_takes_over(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(recorder(),))
    await provisioned(consumers)
    org, voice = new_id(), str(new_id())
    first, second = scratch.relay(), scratch.relay()
    tasks = [asyncio.create_task(relay.run()) for relay in (first, second)]
    async with running_projection(scratch, consumers):
        await emit(scratch, deleted(voice, org, "a"))
        await eventually(lambda: applied(scratch, [voice]))
        leaders = await scratch.fetch(
            "select count(*) as n from pg_locks where locktype = 'advisory' and granted and classid = $1"
            " and database = (select oid from pg_database where datname = current_database())",
            LEADER_LOCK,
        )
        assert leaders[0]["n"] == 1
        first.stop()
        await emit(scratch, deleted(voice, org, "b"))

        async def second_event() -> bool:
            return await applied(scratch, [voice]) == ["a", "b"]

        await eventually(second_event, what="the event after the leader left")
    second.stop()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def test_partitions_are_made_ahead(scratch: Scratch) -> None:
    rows = await scratch.fetch(
        "select count(*) filter (where relid::regclass::text ~ '^outbox_sent_[0-9]{8}$') as n "
        "from pg_partition_tree('outbox_sent')"
    )
    assert rows[0]["n"] == 8
    async with scratch.relaying():
        await emit(scratch, deleted(str(new_id()), new_id()))

        async def archived() -> bool:
            return bool(await scratch.fetch("select 1 from outbox_sent"))

        await eventually(archived)
    defaults = await scratch.fetch("select 1 from only outbox_sent_default")
    assert defaults == []
    assert SERVICE == "voice"


async def archived(scratch: Scratch, count: int) -> bool:
    return len(await scratch.fetch("select 1 from outbox_sent where stream_seq is not null")) == count


async def test_what_a_stream_lost_is_sent_again_in_its_old_order_and_before_anything_newer(
    scratch: Scratch, group: str
) -> None:
    org, voice = new_id(), str(new_id())
    names = [f"{number:03}" for number in range(120)]
    async with scratch.relaying():
        await emit(scratch, *(deleted(voice, org, name) for name in names))
        await eventually(lambda: archived(scratch, 120))
    jetstream = scratch.bus.jetstream
    await jetstream.delete_stream(STREAM)
    await emit(scratch, deleted(voice, org, "new"))
    consumers = Consumers(group, projections=(recorder(),))
    async with scratch.relaying():
        upkeep = Upkeep(scratch.bus, consumers, replicas=1)
        await eventually(upkeep.look, what="stream and durable made anew")
        async with running_projection(scratch, consumers):

            async def all_applied() -> bool:
                return len(await applied(scratch, [voice])) >= 121

            await eventually(all_applied, what="all events in the new stream")
    assert await applied(scratch, [voice]) == [*names, "new"]
    assert await archived(scratch, 121)


async def test_a_stream_that_went_back_gets_what_it_lacks(scratch: Scratch) -> None:
    """As after a broker that was restored from an old copy: it ends before what it had acknowledged."""
    org, voice = new_id(), str(new_id())
    async with scratch.relaying():
        await emit(scratch, *(deleted(voice, org, str(number)) for number in range(10)))
        await eventually(lambda: archived(scratch, 10))
        before = await scratch.fetch("select max(stream_seq) as last from outbox_sent")
        # The last four lie beyond the end of the stream now, under ids that it does not know.
        await scratch.fetch(
            "update outbox_sent set stream_seq = stream_seq + 1000, event_id = gen_random_uuid()"
            " where stream_seq > $1 returning 1",
            before[0]["last"] - 4,
        )
    async with scratch.relaying():

        async def sent_again() -> bool:
            rows = await scratch.fetch("select min(stream_seq) as first, max(stream_seq) as last from outbox_sent")
            return bool(rows[0]["last"] == before[0]["last"] + 4) and await archived(scratch, 10)

        await eventually(sent_again, what="four events sent again")


async def test_shards_share_an_outbox_and_each_keeps_the_order_of_its_aggregates(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(recorder(),))
    await provisioned(consumers)
    org, voices = new_id(), [str(new_id()) for _ in range(12)]
    relays = [Relay(scratch.bus, SERVICE, scratch.url, scratch.password, shards=3) for _ in range(2)]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    async with running_projection(scratch, consumers):
        for number in range(20):
            await emit(scratch, *(deleted(voice, org, f"{number:03}") for voice in voices))

        async def all_applied() -> bool:
            return len(await applied(scratch, voices)) == 240

        await eventually(all_applied, what="240 events of 12 aggregates")
        for voice in voices:
            assert await applied(scratch, [voice]) == [f"{number:03}" for number in range(20)]
    for relay in relays:
        relay.stop()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def test_nobody_leads_while_others_divide_the_outbox_otherwise(scratch: Scratch) -> None:
    one, two = [await asyncpg.connect(scratch.url, password=scratch.password) for _ in range(2)]
    try:
        assert await Shard(0, 3).try_to_lead(one)
        assert not await Shard(0, 2).try_to_lead(two)
        assert not await Shard(0, 3).try_to_lead(two)
        assert await Shard(1, 3).try_to_lead(two)
    finally:
        await one.close()
        await two.close()


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
    first, second = (WorkRunner(scratch.bus, consumers, None) for _ in range(2))
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
    runner = WorkRunner(scratch.bus, consumers, None)
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
