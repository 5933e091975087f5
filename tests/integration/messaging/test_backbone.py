"""The outbox and its relay on the real database and broker."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from libs import outbox
from libs.ids import new_id
from libs.messaging import Consumers
from libs.messaging.upkeep import Upkeep
from libs.outbox import Relay
from libs.outbox.shards import LEADER_LOCK, Shard
from tests.integration.messaging.emitting import (
    Provisioned,
    applied,
    deleted,
    emit,
    recorder,
    running_projection,
)
from tests.support.polling import eventually
from tests.support.scratch import SERVICE, STREAM, Scratch


async def test_a_rolled_back_transaction_emits_nothing(scratch: Scratch) -> None:
    async def add_and_fail() -> None:
        async with scratch.database.transaction() as session:
            outbox.add(session, deleted(str(new_id()), new_id()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await add_and_fail()
    assert await scratch.fetch("select 1 from outbox") == []


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


async def test_what_others_took_the_place_of_is_sent_again(scratch: Scratch) -> None:
    """As after a broker that was restored from an old copy and took new events before anybody looked at it."""
    org, voice = new_id(), str(new_id())
    async with scratch.relaying():
        await emit(scratch, *(deleted(voice, org, str(number)) for number in range(10)))
        await eventually(lambda: archived(scratch, 10))
    before = await scratch.fetch("select max(stream_seq) as last from outbox_sent")
    last = before[0]["last"]
    # The last two are published and not archived yet; at their places the archive has two that the stream lost.
    columns = "event_id, type_name, subject, aggregate, org_id, cause, payload, trace, created_at"
    await scratch.fetch(
        f"insert into outbox ({columns}) select {columns} from outbox_sent where stream_seq > $1 returning 1",  # noqa: S608 - the names stand above
        last - 2,
    )
    await scratch.fetch(
        "update outbox_sent set event_id = gen_random_uuid() where stream_seq > $1 returning 1", last - 2
    )
    async with scratch.relaying():

        async def sent_again() -> bool:
            rows = await scratch.fetch("select max(stream_seq) as last from outbox_sent")
            return bool(rows[0]["last"] == last + 2) and await archived(scratch, 12)

        await eventually(sent_again, what="two events sent again")


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
