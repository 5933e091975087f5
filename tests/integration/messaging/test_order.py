"""What was delivered once and lost comes again: in its order, not behind what is newer."""

from __future__ import annotations

import asyncio

from libs.ids import new_id
from libs.messaging import Consumers
from libs.messaging.topology import projection_durable
from tests.integration.messaging.emitting import (
    Provisioned,
    applied,
    deleted,
    emit,
    recorder,
    running_projection,
)
from tests.support.polling import eventually
from tests.support.scratch import STREAM, Scratch


async def _deliver_and_lose(scratch: Scratch, group: str, count: int) -> None:
    """Take messages of the group's durable, as a process that dies does; they come again at once."""
    subscription = await scratch.bus.jetstream.pull_subscribe_bind(projection_durable(group), STREAM)
    taken = 0
    while taken < count:
        messages = await subscription.fetch(count - taken, timeout=10)
        taken += len(messages)
        await asyncio.gather(*(message.nak() for message in messages))
    await subscription.unsubscribe()


async def test_what_was_lost_on_its_way_is_applied_before_what_is_newer(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(recorder(),))
    await provisioned(consumers)
    org, voice = new_id(), str(new_id())
    names = [f"{number:02}" for number in range(20)]
    async with scratch.relaying():
        await emit(scratch, *(deleted(voice, org, name) for name in names[:10]))
        await _deliver_and_lose(scratch, group, 10)
        await emit(scratch, *(deleted(voice, org, name) for name in names[10:]))

        async def all_sent() -> bool:
            return not await scratch.fetch("select 1 from outbox")

        await eventually(all_sent, what="all events in the stream")
        async with running_projection(scratch, consumers):

            async def all_applied() -> bool:
                return len(await applied(scratch, [voice])) == len(names)

            await eventually(all_applied, what="all events applied")
    assert await applied(scratch, [voice]) == names
