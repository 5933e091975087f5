"""Exports and what services say of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor, driver_of
from services.gateway.domain.exports import Export, Files, Part

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
    Column("include_audio", Boolean, nullable=False),
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
    Column("files_key", Text),
    Column("files", BigInteger, nullable=False),
    Column("files_bytes", BigInteger, nullable=False),
    Column("files_left_out", BigInteger, nullable=False),
    Column("files_left_out_bytes", BigInteger, nullable=False),
)


async def insert_export(session: AsyncSession, org_id: UUID, export: Export) -> None:
    """Write down that something is exported."""
    values = {
        "id": export.id,
        "org_id": org_id,
        "user_id": export.user_id,
        "requested_at": export.requested_at,
        "expires_at": export.expires_at,
        "include_audio": export.include_audio,
    }
    await session.execute(insert(exports).values(values))


async def insert_part(session: AsyncSession, org_id: UUID, export_id: UUID, part: Part) -> bool:
    """Keep what a service says, whose first answer counts; False for another one."""
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
        "files_key": part.files.list_key,
        "files": part.files.count,
        "files_bytes": part.files.size_bytes,
        "files_left_out": part.files.left_out,
        "files_left_out_bytes": part.files.left_out_bytes,
    }
    inserting = insert(export_parts).values(values).on_conflict_do_nothing().returning(export_parts.c.service)
    is_first = (await session.execute(inserting)).one_or_none() is not None
    # What is written when the others are gone has to go, too.
    await session.execute(update(exports).where(exports.c.id == export_id).values(removed_at=None))
    return is_first


async def lock_export(session: AsyncSession, export_id: UUID) -> bool:
    """Say whether there is, or was, an export, which then stays as it is for this transaction."""
    statement = select(exports.c.id).where(exports.c.id == export_id).with_for_update()
    return (await session.execute(statement)).one_or_none() is not None


async def get_export(session: AsyncSession, export_id: UUID) -> Export | None:
    """Return an export with all that services say of it."""
    statement = select(exports).where(exports.c.id == export_id, exports.c.deleted_at.is_(None))
    found = await _with_parts(session, (await session.execute(statement)).all())
    return found[0] if found else None


async def list_exports(session: AsyncSession, org_id: UUID, *, after: Cursor | None, limit: int) -> Sequence[Export]:
    """Return exports, newest first; one more than `limit`, if there are as many."""
    statement = select(exports).where(exports.c.org_id == org_id, exports.c.deleted_at.is_(None))
    position = tuple_(exports.c.requested_at, exports.c.id)
    if after is not None:
        statement = statement.where(position < tuple_(literal(after.at), literal(after.id)))
    statement = statement.order_by(exports.c.requested_at.desc(), exports.c.id.desc()).limit(limit + 1)
    return await _with_parts(session, (await session.execute(statement)).all())


async def find_newest(session: AsyncSession, org_id: UUID, user_id: UUID | None, since: datetime) -> Export | None:
    """Return the newest export of the same that was asked for after `since`."""
    statement = (
        select(exports)
        .where(exports.c.org_id == org_id, exports.c.user_id.is_not_distinct_from(user_id))
        .where(exports.c.requested_at > since, exports.c.deleted_at.is_(None))
        .order_by(exports.c.requested_at.desc())
        .limit(1)
    )
    found = await _with_parts(session, (await session.execute(statement)).all())
    return found[0] if found else None


async def _with_parts(session: AsyncSession, rows: Sequence[Row[Any]]) -> list[Export]:  # Any: rows of all columns
    of_them = select(export_parts).where(export_parts.c.export_id.in_([row.id for row in rows]))
    parts: dict[UUID, list[Part]] = {row.id: [] for row in rows}
    for one in await session.execute(of_them.order_by(export_parts.c.exported_at)) if rows else ():
        parts[one.export_id].append(_part(one))
    return [
        Export(row.id, row.user_id, row.requested_at, row.expires_at, parts[row.id], row.include_audio) for row in rows
    ]


def _part(row: Row[Any]) -> Part:  # Any: a row of all columns
    return Part(
        service=row.service,
        counts=row.counts,
        object_key=row.object_key,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        error=row.error,
        tries=row.tries,
        exported_at=row.exported_at,
        files=Files(row.files_key, row.files, row.files_bytes, row.files_left_out, row.files_left_out_bytes),
    )


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
