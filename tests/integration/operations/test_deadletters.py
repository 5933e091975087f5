"""Dead letters: found by filters, replayed to their consumer alone, once however often one tries."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Consumers, Permanent, Projection, projection
from libs.messaging.deadletters import ConsumerGone, DeadLetter, Filter, drop, find, get, replay
from tests.integration.messaging.emitting import running_projection
from tests.support.polling import eventually
from tests.support.scratch import STREAM, Scratch

Provisioned = Callable[[Consumers], Awaitable[None]]


def noting(consumer: str, broken: set[str]) -> Projection:
    @projection(VoiceDeleted)
    async def note(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
        for event in events:
            if consumer in broken and event.object_keys[0] == "poison":
                raise Permanent("cannot be applied")
            await session.execute(
                text("insert into applied (aggregate, name) values (:aggregate, :name)"),
                {"aggregate": consumer, "name": event.object_keys[0]},
            )

    return note


async def dlq(scratch: Scratch, *arguments: str) -> str:
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "dlq", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ
        | {
            "ANTIPHON_NATS_URL": scratch.servers.nats_url,
            "ANTIPHON_NATS_PASSWORD_FILE": str(scratch.servers.home / "secrets" / "nats_provisioner"),
        },
    )
    output, _ = await command.communicate()
    assert command.returncode == 0
    return output.decode()


async def emit(scratch: Scratch, key: str) -> None:
    async with scratch.database.transaction() as session:
        outbox.add(session, VoiceDeleted(voice_id=str(new_id()), org_id=str(new_id()), object_keys=[key]))


async def letters(scratch: Scratch, wanted: Filter) -> list[DeadLetter]:
    return [letter async for letter in find(scratch.bus, wanted)]


async def names(scratch: Scratch, consumer: str) -> list[str]:
    rows = await scratch.fetch("select name from applied where aggregate = $1 order by position", consumer)
    return [row["name"] for row in rows]


async def until_applied(scratch: Scratch, consumer: str, expected: list[str]) -> None:
    async def same() -> bool:
        return await names(scratch, consumer) == expected

    await eventually(same, what=f"{consumer} has {expected}")


async def test_a_replay_reaches_its_consumer_alone_and_applies_once(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    other = f"{group}_other"
    broken = {group}
    sick, sound = (Consumers(name, projections=(noting(name, broken),)) for name in (group, other))
    await provisioned(sick)
    await provisioned(sound)
    async with scratch.relaying(), running_projection(scratch, sick), running_projection(scratch, sound):
        await emit(scratch, "poison")
        (letter,) = await eventually(lambda: letters(scratch, Filter(consumer=group)))
        (sent,) = await scratch.fetch("select * from outbox_sent")
        assert letter.payload == sent["payload"]
        assert letter.event_id == str(sent["event_id"])
        assert letter.original_subject == sent["subject"]
        alone = await get(scratch.bus, letter.seq)
        assert alone is not None
        assert (alone.resent_headers(), alone.payload) == (letter.resent_headers(), letter.payload)
        # The other one's inbox forgets, so that nothing but the header keeps it from applying the event again.
        await scratch.fetch("delete from inbox where consumer = $1", other)
        broken.clear()
        await asyncio.gather(replay(scratch.bus, letter), replay(scratch.bus, letter))
        # As after the broker's window for duplicates: under another message id.
        again = letter.resent_headers() | {"Nats-Msg-Id": f"again:{new_id()}"}
        await scratch.bus.jetstream.publish(letter.original_subject, letter.payload, headers=again)
        await emit(scratch, "after")
        await until_applied(scratch, group, ["poison", "after"])
        await until_applied(scratch, other, ["poison", "after"])
    assert await letters(scratch, Filter(consumer=group)) == []


async def test_filters_choose_and_a_second_drop_finds_nothing(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(noting(group, {group}),))
    await provisioned(consumers)

    async def three() -> list[DeadLetter]:
        found = await letters(scratch, Filter(consumer=group))
        return found if len(found) == 3 else []

    async with scratch.relaying(), running_projection(scratch, consumers):
        for _ in range(3):
            await emit(scratch, "poison")
        first, second, third = await eventually(three)
    assert await letters(scratch, Filter(consumer=group, event_type="VoiceDeleted", limit=2)) == [first, second]
    assert await letters(scratch, Filter(consumer=group, event_type="VoiceReady")) == []
    assert await letters(scratch, Filter(consumer=group, since=third.time)) == [third]
    assert await letters(scratch, Filter(consumer=group, until=second.time)) == [first]
    listed = await dlq(scratch, "list", "--consumer", group, "--json")
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [first.seq, second.seq, third.seq]
    assert json.loads(await dlq(scratch, "show", str(first.seq)))["event"]["object_keys"] == ["poison"]
    assert await dlq(scratch, "replay", "--all", "--consumer", group, "--dry-run") == "would replay 3\n"
    assert await dlq(scratch, "replay", str(second.seq)) == "replayed 1\n"
    assert await dlq(scratch, "drop", str(second.seq), str(third.seq), "--yes") == "dropped 1\n"
    assert await drop(scratch.bus, first.seq)
    assert not await drop(scratch.bus, first.seq)
    assert await get(scratch.bus, first.seq) is None


async def test_a_replay_that_nobody_would_take_is_refused_and_keeps_the_dead_letter(
    scratch: Scratch, group: str, provisioned: Provisioned
) -> None:
    consumers = Consumers(group, projections=(noting(group, {group}),))
    await provisioned(consumers)
    async with scratch.relaying(), running_projection(scratch, consumers):
        await emit(scratch, "poison")
        (letter,) = await eventually(lambda: letters(scratch, Filter(consumer=group)))
    await scratch.bus.jetstream.delete_consumer(STREAM, group)
    with pytest.raises(ConsumerGone, match=group):
        await replay(scratch.bus, letter)
    assert await letters(scratch, Filter(consumer=group)) == [letter]
