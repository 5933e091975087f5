"""Projections on the real database and broker: in order, once, and the bad apart from the good."""

from __future__ import annotations

from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Consumers, RetryPolicy
from tests.integration.messaging.emitting import (
    Provisioned,
    applied,
    dead_letters,
    deleted,
    emit,
    recorder,
    running_projection,
)
from tests.support.polling import eventually
from tests.support.scratch import Scratch


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
