"""Events of which some are poison, told at a pace, and when each of the others was applied."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.contracts.registry import event_type
from libs.database import Driver
from libs.ids import new_id
from libs.messaging import Permanent
from tests.support.scratch import Scratch

PER_TRANSACTION = 10


class Kind(StrEnum):
    """What is the matter with an event."""

    GOOD = "good"
    UNDECODABLE = "undecodable"
    UNKNOWN = "unknown"
    PERMANENT = "permanent"
    FAILING = "failing"


POISONS = tuple(kind for kind in Kind if kind is not Kind.GOOD)
CURABLE = (Kind.PERMANENT, Kind.FAILING)
"""What a better handler can apply; the others need another contract."""


def kinds(count: int, one_in: int) -> list[Kind]:
    """`count` events, one in so many of them poison, each kind as often; none when `one_in` is 0."""
    return [
        POISONS[number // one_in % len(POISONS)] if one_in and number % one_in == one_in // 2 else Kind.GOOD
        for number in range(count)
    ]


@dataclass
class Patient:
    """A handler's state: sick it cannot apply what is curable; and when what it could was told and applied."""

    healed: bool = False
    told: dict[str, float] = field(default_factory=dict)
    applied: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def swallow(self, name: str) -> None:
        """Raise for poison, until healed."""
        kind = name.partition(" ")[0]
        if not self.healed and kind == Kind.PERMANENT:
            raise Permanent("this can never be applied")
        if not self.healed and kind == Kind.FAILING:
            raise ValueError("this cannot be applied")

    def note(self, name: str) -> None:
        """`name` is applied, durably."""
        self.applied[name] = time.monotonic()
        self.times[name] = self.times.get(name, 0) + 1

    async def before_commit(self, _session: AsyncSession, _driver: Driver) -> None:
        """Nothing is durable yet."""

    async def after_commit(self, session: AsyncSession) -> None:
        for name in session.info.pop(id(self), ()):
            self.note(name)

    def keep(self, session: AsyncSession, names: Sequence[str]) -> None:
        """`names` are applied once the transaction of `session` is durable."""
        session.info.setdefault(id(self), []).extend(names)

    def p99(self) -> float:
        """Seconds from the commit that told of a good event to the commit that applied it: 99 of 100 took less."""
        taken = sorted(self.applied[name] - told for name, told in self.told.items() if name.startswith(Kind.GOOD))
        return taken[len(taken) * 99 // 100]


async def tell(scratch: Scratch, patient: Patient, what: Sequence[Kind], rate: float, run: str) -> list[str]:
    """Commit the events in transactions of PER_TRANSACTION, so many events a second; return their names."""
    names = [f"{kind} {run} {number}" for number, kind in enumerate(what)]
    begun = time.monotonic()
    for start in range(0, len(names), PER_TRANSACTION):
        await asyncio.sleep(max(0.0, begun + start / rate - time.monotonic()))
        part = names[start : start + PER_TRANSACTION]
        async with scratch.database.transaction() as session:
            for name in part:
                await _add(session, name)
        now = time.monotonic()
        patient.told.update(dict.fromkeys(part, now))
    return names


async def _add(session: AsyncSession, name: str) -> None:
    kind, voice, org = Kind(name.partition(" ")[0]), new_id(), new_id()
    event = VoiceDeleted(voice_id=str(voice), org_id=str(org), object_keys=[name])
    if kind is Kind.UNDECODABLE:
        await _add_row(session, voice, org, event_type(event).name, b"\xff\xff" + name.encode())
    elif kind is Kind.UNKNOWN:
        await _add_row(session, voice, org, "antiphon.voice.v9.VoiceSang", event.SerializeToString())
    else:
        outbox.add(session, event)


async def _add_row(session: AsyncSession, voice: UUID, org: UUID, type_name: str, payload: bytes) -> None:
    """As an emitter would whose contracts are not ours."""
    row = {
        "event_id": new_id(),
        "type_name": type_name,
        "subject": event_type(VoiceDeleted).subject,
        "aggregate": str(voice),
        "org_id": org,
        "payload": payload,
    }
    statement = text(
        "insert into outbox (event_id, type_name, subject, aggregate, org_id, payload, trace)"
        " values (:event_id, :type_name, :subject, :aggregate, :org_id, :payload, '{}')"
    )
    await session.execute(statement, row)
