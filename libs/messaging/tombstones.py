"""Tombstones: which organisations are erased, so that an event that comes late brings nothing of them back."""

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

_BURY = "insert into erased_organizations (org_id) values ($1) on conflict do nothing"
_AMONG = "select org_id from erased_organizations where org_id = any($1::uuid[])"


async def bury(session: AsyncSession, org_id: UUID) -> None:
    """Note that an organisation is erased: from this commit on no consumer applies events of it."""
    await driver_of(session).execute(_BURY, org_id)


async def erased_among(session: AsyncSession, org_ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of these organisations are erased."""
    return frozenset(row["org_id"] for row in await driver_of(session).fetch(_AMONG, list(org_ids)))


async def is_erased(database: Database, org_id: UUID) -> bool:
    """Say whether an organisation is erased."""
    async with database.apart() as session:
        return bool(await erased_among(session, [org_id]))
