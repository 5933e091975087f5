"""What the tests of the backbone emit, and who writes down what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from nats.js.api import RawStreamMsg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated, VoiceDeleted, VoiceReady
from libs.messaging import Consumers, Projection, RetryPolicy, projection
from libs.messaging.projections import ProjectionRunner
from libs.messaging.topology import DEAD_LETTERS, projection_durable
from tests.support.scratch import STREAM, Scratch

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


async def dead_letters(scratch: Scratch, group: str) -> list[RawStreamMsg]:
    """All dead letters of consumers of `group`."""
    info = await scratch.bus.jetstream.stream_info(DEAD_LETTERS)
    found = []
    for sequence in range(info.state.first_seq or 1, info.state.last_seq + 1):
        message = await scratch.bus.jetstream.get_msg(DEAD_LETTERS, sequence)
        if (message.headers or {}).get("dlq-consumer", "").startswith(group):
            found.append(message)
    return found
