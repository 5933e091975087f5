"""Building a projection's tables anew from the archives, while the system runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.registry import decode
from libs.database import Database
from libs.messaging import inbox, tombstones
from libs.messaging.declarations import Rebuildable
from libs.messaging.envelope import Received
from libs.messaging.projections import grouped

BATCH_EVENTS = 500


class ArchiveIncomplete(Exception):
    """The archive does not reach back to the first event: a table built from it would lack something."""


async def rebuild(
    database: Database,
    archive: asyncpg.Connection[asyncpg.Record],
    rebuildable: Rebuildable,
    *,
    durable: str,
) -> AsyncIterator[int]:
    """Empty the tables and apply every archived event again, in one transaction; yields after each batch its size.

    `archive` is the database of the service that emits the events. Readers see the old tables until all is done, and
    then the new ones. Live events wait so long, and are applied afterwards. Raises ArchiveIncomplete.
    """
    await _check_complete(archive)
    types = sorted({projection.event.name for projection in rebuildable.projections})
    async with database.transaction() as session:
        # Whoever applies an event writes here first, and so waits for us.
        await session.execute(text("lock table inbox in share row exclusive mode"))
        await rebuildable.reset(session)
        last = 0
        while rows := await archive.fetch(_READ, types, last, BATCH_EVENTS):
            await inbox.remember(session, durable, [row["event_id"] for row in rows])
            erased = await tombstones.erased_among(session, {row["org_id"] for row in rows})
            await _apply(session, rebuildable, [_received(row) for row in rows if row["org_id"] not in erased])
            last = rows[-1]["seq"]
            yield len(rows)


_READ = """
select seq, event_id, type_name, subject, aggregate, org_id, payload from (
    select seq, event_id, type_name, subject, aggregate, org_id, payload from outbox_sent
    union all select seq, event_id, type_name, subject, aggregate, org_id, payload from outbox
) as told where type_name = any($1) and seq > $2 order by seq limit $3
"""


async def _check_complete(archive: asyncpg.Connection[asyncpg.Record]) -> None:
    first = await archive.fetchval("select least((select min(seq) from outbox_sent), (select min(seq) from outbox))")
    if first not in (None, 1):
        raise ArchiveIncomplete(f"the oldest event in the archive is number {first}")


async def _apply(session: AsyncSession, rebuildable: Rebuildable, batch: Sequence[Received]) -> None:
    for group in grouped(batch):
        for projection in rebuildable.projections:
            if projection.event.name == group[0].type_name:
                await projection.handler(session, [received.event for received in group])


def _received(row: asyncpg.Record) -> Received:
    event_id: UUID = row["event_id"]
    message = Msg(Client(), subject=row["subject"], data=row["payload"], headers={"ce-id": str(event_id)})
    event = decode(row["type_name"], row["payload"])
    return Received(message, event_id, row["type_name"], row["aggregate"], row["org_id"], event)
