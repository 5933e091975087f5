"""Tombstones: which organisations are erased, so that nothing that comes late, or was begun before, brings them back.

Consumers drop events of erased organisations. For whatever else writes, requests and long work that were let in before,
the database itself refuses new rows: who writes some shares a lock of their organisation until the transaction's end,
and who erases it has that lock alone while the tombstone is written. So a transaction that writes rows either ends
before the tombstone is there, and what it wrote is found and deleted, or sees the tombstone and is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Database, driver_of

SCHEMA = [
    # Of no organisation: there is none any more. An id alone, which nothing else knows.
    """
    create table erased_organizations (
        org_id uuid primary key,
        erased_at timestamptz not null default now()
    )
    """,
]
"""Statements for a migration of each service."""

DROP_SCHEMA = ["drop table erased_organizations"]

TABLE = "erased_organizations"

_REFUSAL = [
    # A statement of its own after the lock: what was committed while it was waited for is seen. To whoever is refused
    # it is a conflict with another transaction, which is what it is; trying again they find that there is nobody left.
    """
    create function refuse_erased() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock_shared(hashtextextended('erasure ' || org_id::text, 0))
        from (select distinct org_id from added where org_id is not null) as theirs;
        if exists (select from added join public.erased_organizations using (org_id)) then
            raise exception 'the organisation is erased' using errcode = 'serialization_failure';
        end if;
        return null;
    end
    $$
    """,
    # Events are not refused but left out: nobody would apply them, and what finds something out goes on.
    """
    create function drop_erased_events() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock_shared(hashtextextended('erasure ' || org_id::text, 0))
        from (select distinct org_id from added where org_id is not null) as theirs;
        if exists (select from added join public.erased_organizations using (org_id)) then
            delete from public.outbox as told using added, public.erased_organizations as gone
            where told.seq = added.seq and told.org_id = gone.org_id
              and told.type_name !~ '\\.Organization(Erased|ErasureRequested)$';
        end if;
        return null;
    end
    $$
    """,
    """
    create trigger outbox_living after insert on outbox referencing new table as added
    for each statement execute function drop_erased_events()
    """,
]

DROP_REFUSAL = ["drop function drop_erased_events() cascade", "drop function refuse_erased() cascade"]


def refuse(*tables: str) -> list[str]:
    """Return the statements that keep rows of erased organisations out of `tables`, which have the column `org_id`."""
    return [
        f"create trigger {table}_living after insert on {table} referencing new table as added "
        "for each statement execute function refuse_erased()"
        for table in tables
    ]


def refusal(*tables: str) -> list[str]:
    """Return the statements for a later migration of each service; `tables` are all that are erased.

    Its migrations after that one execute `refuse` for tables that they add.
    """
    return [*_REFUSAL, *refuse(*tables)]


_ALONE = "select pg_advisory_xact_lock(hashtextextended('erasure ' || $1::uuid::text, 0))"
_BURY = "insert into erased_organizations (org_id) values ($1) on conflict do nothing"
_AMONG = "select org_id from erased_organizations where org_id = any($1::uuid[])"


async def bury(session: AsyncSession, org_id: UUID) -> None:
    """Note that an organisation is erased: from this commit on nothing of it is written, and no event of it applied.

    Waits for transactions that have written rows of it; what they wrote is there for what this one deletes afterwards.
    """
    await driver_of(session).execute(_ALONE, org_id)
    await driver_of(session).execute(_BURY, org_id)


async def erased_among(session: AsyncSession, org_ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of these organisations are erased."""
    return frozenset(row["org_id"] for row in await driver_of(session).fetch(_AMONG, list(org_ids)))


async def is_erased(database: Database, org_id: UUID) -> bool:
    """Say whether an organisation is erased."""
    async with database.apart() as session:
        return bool(await erased_among(session, [org_id]))
