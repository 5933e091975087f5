"""Exports and what services say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Row, Table, Text, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import driver_of
from services.gateway.domain.exports import Export, Part

_metadata = MetaData()

exports = Table(
    "exports",
    _metadata,
    Column("id", PgUuid(as_uuid=True), primary_key=True),
    Column("org_id", PgUuid(as_uuid=True), nullable=False),
    Column("user_id", PgUuid(as_uuid=True)),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Column("removed_at", DateTime(timezone=True)),
)
export_parts = Table(
    "export_parts",
    _metadata,
    Column("export_id", PgUuid(as_uuid=True), primary_key=True),
    Column("org_id", PgUuid(as_uuid=True), nullable=False),
    Column("service", Text, primary_key=True),
    Column("counts", JSONB, nullable=False),
    Column("object_key", Text),
    Column("sha256", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("error", Text),
    Column("tries", Integer, nullable=False),
    Column("exported_at", DateTime(timezone=True), nullable=False),
)


async def insert_export(session: AsyncSession, org_id: UUID, export: Export) -> None:
    """Write down that something is exported."""
    values = {
        "id": export.id,
        "org_id": org_id,
        "user_id": export.user_id,
        "requested_at": export.requested_at,
        "expires_at": export.expires_at,
    }
    await session.execute(insert(exports).values(values))


async def insert_part(session: AsyncSession, org_id: UUID, export_id: UUID, part: Part) -> None:
    """Keep what a service says; its first answer counts."""
    values: dict[str, Any] = {  # Any: one value a column
        "export_id": export_id,
        "org_id": org_id,
        "service": part.service,
        "counts": dict(part.counts),
        "object_key": part.object_key,
        "sha256": part.sha256,
        "size_bytes": part.size_bytes,
        "error": part.error,
        "tries": part.tries,
        "exported_at": part.exported_at,
    }
    await session.execute(insert(export_parts).values(values).on_conflict_do_nothing())
    # What is written when the others are gone has to go, too.
    await session.execute(update(exports).where(exports.c.id == export_id).values(removed_at=None))


async def lock_export(session: AsyncSession, export_id: UUID) -> bool:
    """Say whether there is, or was, an export, which then stays as it is for this transaction."""
    statement = select(exports.c.id).where(exports.c.id == export_id).with_for_update()
    return (await session.execute(statement)).one_or_none() is not None


async def get_export(session: AsyncSession, export_id: UUID) -> Export | None:
    """Return an export with all that services say of it."""
    statement = select(exports).where(exports.c.id == export_id, exports.c.deleted_at.is_(None))
    row = (await session.execute(statement)).one_or_none()
    return await _with_parts(session, row) if row is not None else None


async def find_newest(session: AsyncSession, org_id: UUID, user_id: UUID | None, since: datetime) -> Export | None:
    """Return the newest export of the same that was asked for after `since`."""
    statement = (
        select(exports)
        .where(exports.c.org_id == org_id, exports.c.user_id.is_not_distinct_from(user_id))
        .where(exports.c.requested_at > since, exports.c.deleted_at.is_(None))
        .order_by(exports.c.requested_at.desc())
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return await _with_parts(session, row) if row is not None else None


async def _with_parts(session: AsyncSession, row: Row[Any]) -> Export:  # Any: a row of all columns
    of_it = select(export_parts).where(export_parts.c.export_id == row.id).order_by(export_parts.c.exported_at)
    parts = [
        Part(
            service=one.service,
            counts=one.counts,
            object_key=one.object_key,
            sha256=one.sha256,
            size_bytes=one.size_bytes,
            error=one.error,
            tries=one.tries,
            exported_at=one.exported_at,
        )
        for one in await session.execute(of_it)
    ]
    return Export(row.id, row.user_id, row.requested_at, row.expires_at, parts)


async def expire_exports_of(session: AsyncSession, org_id: UUID, user_id: UUID, now: datetime) -> None:
    """Let what was exported of a person expire at once."""
    mine = (exports.c.org_id == org_id, exports.c.user_id == user_id, exports.c.expires_at > now)
    await session.execute(update(exports).where(*mine).values(expires_at=now))


async def delete_export(session: AsyncSession, export_id: UUID, now: datetime) -> bool:
    """Let nobody ask for an export any more, and its files expire; False if there is none."""
    statement = (
        update(exports)
        .where(exports.c.id == export_id, exports.c.deleted_at.is_(None))
        .values(deleted_at=now, expires_at=func.least(exports.c.expires_at, now))
    )
    return (await session.execute(statement.returning(exports.c.id))).one_or_none() is not None


async def list_expired(session: AsyncSession, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return exports that have expired and may have files, and whose they are, of whatever organisation."""
    rows = await driver_of(session).fetch("select export_id, org_id from expired_exports($1, $2)", now, limit)
    return [(row["export_id"], row["org_id"]) for row in rows]


async def save_removed(session: AsyncSession, export_id: UUID, now: datetime) -> None:
    """The files of an export are gone."""
    await session.execute(update(exports).where(exports.c.id == export_id).values(removed_at=now))
