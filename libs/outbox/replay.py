"""Telling archived events once more: the archive outlives what the broker keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from libs.messaging.connection import Bus
from libs.outbox.positions import COLUMNS, decode_traces
from libs.outbox.publish import Retelling, publish_in_order

BATCH_EVENTS = 500
BATCH_BYTES = 4 * 2**20

# Nothing is sent before it is written: the bound on sent_at keeps old partitions out.
_CHOSEN = """
from outbox_sent where created_at >= $1 and created_at < $2 and sent_at >= $1
and ($3::text[] is null or type_name = any($3))
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Events that were written from `since` until before `until`, of these types (full names) or of all."""

    since: datetime
    until: datetime
    types: Sequence[str] | None = None

    @property
    def parameters(self) -> tuple[object, ...]:
        """Return the parameters of a query for them."""
        return self.since, self.until, self.types


async def count_archived(connection: asyncpg.Connection[asyncpg.Record], chosen: Selection) -> dict[str, int]:
    """Return how many archived events are chosen, by type."""
    rows = await connection.fetch(
        f"select type_name, count(*) as events {_CHOSEN} group by 1 order by 1",
        *chosen.parameters,
    )
    return {row["type_name"]: row["events"] for row in rows}


async def replay(
    bus: Bus,
    connection: asyncpg.Connection[asyncpg.Record],
    service: str,
    chosen: Selection,
    retelling: Retelling,
) -> AsyncIterator[int]:
    """Publish the chosen events of `service` once more, in their order; yields after each batch how many it held.

    Consumers know by the inbox what they have applied. Stopped in the middle, it can be begun again.
    """
    await decode_traces(connection)
    last = 0
    statement = f"select {COLUMNS} {_CHOSEN} and seq > $4 order by seq limit {BATCH_EVENTS}"
    while rows := await connection.fetch(statement, *chosen.parameters, last):
        batch = _within_bytes(rows)
        await publish_in_order(bus, service, batch, retelling)
        last = batch[-1]["seq"]
        yield len(batch)


def _within_bytes(rows: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
    size = 0
    for number, row in enumerate(rows):
        size += len(row["payload"])
        if number and size > BATCH_BYTES:
            return rows[:number]
    return rows
