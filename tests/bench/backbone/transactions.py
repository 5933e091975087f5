"""What an event costs the transaction that writes it."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import text

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from tests.bench.backbone.events import empty
from tests.bench.harness import Row, row
from tests.support.scratch import Scratch

ROUNDS = 5
TRANSACTIONS = {1: 400, 16: 2000}
"""How many transactions are measured, by concurrency."""
_INSERT = text("insert into applied (aggregate, name) values (:aggregate, :name)")


_UPDATE = text("update applied set name = :name where aggregate = :aggregate and position < 0")


async def measure(scratch: Scratch) -> list[Row]:
    """Run the same business transaction with and without an event, in turns.

    It does what the shortest of ours do, such as deleting a voice: two statements, then the commit.
    """
    await scratch.fetch("create index if not exists applied_aggregate on applied (aggregate)")
    rows = []
    for concurrency, count in TRANSACTIONS.items():
        without, with_event = [], []
        for _ in range(ROUNDS):
            without.append(await _rate(scratch, concurrency, count, emit=False))
            with_event.append(await _rate(scratch, concurrency, count, emit=True))
            await empty(scratch, "outbox", "applied")
        name = f"transaction with an event, concurrency {concurrency}"
        await scratch.fetch("analyze applied")
        rows.append(row(name, with_event, "tx/s", baseline=without, at_least=0.8))
    await scratch.fetch("drop index applied_aggregate")
    return rows


async def _rate(scratch: Scratch, concurrency: int, count: int, *, emit: bool) -> float:
    org, left = new_id(), iter(range(count))

    async def client() -> None:
        for number in left:
            async with scratch.database.transaction(org) as session:
                await session.execute(_UPDATE, {"aggregate": f"voice-{number}", "name": "y"})
                await session.execute(_INSERT, {"aggregate": f"voice-{number}", "name": "x" * 900})
                if emit:
                    outbox.add(session, VoiceDeleted(voice_id=f"voice-{number}", org_id=str(org), object_keys=["x"]))

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    return count / (time.perf_counter() - begun)
