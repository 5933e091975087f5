"""The audit log's table: entries are added and read, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, MetaData, Row, Table, Text, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.domain.audit import FIRST_HASH, Details, Entry, Sealed

_metadata = MetaData()

audit_log = Table(
    "audit_log",
    _metadata,
    Column("org_id", PgUuid(as_uuid=True), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("action", Text, nullable=False),
    Column("key_id", PgUuid(as_uuid=True)),
    Column("user_id", PgUuid(as_uuid=True)),
    Column("details", JSONB, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
audit_heads = Table(
    "audit_heads",
    _metadata,
    Column("org_id", PgUuid(as_uuid=True), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)


async def append(
    session: AsyncSession,
    org_id: UUID,
    action: str,
    *,
    at: datetime,
    key_id: UUID | None,
    user_id: UUID | None,
    details: Details,
) -> None:
    """Add an entry behind an organisation's newest; who adds another one waits until the transaction ends."""
    begin = insert(audit_heads).values(org_id=org_id, seq=1, hash=FIRST_HASH)
    begin = begin.on_conflict_do_update(index_elements=["org_id"], set_={"seq": audit_heads.c.seq + 1})
    head = (await session.execute(begin.returning(audit_heads.c.seq, audit_heads.c.hash))).one()
    entry = Entry(org_id, head.seq, at, action, key_id, user_id, details)
    sealed = entry.hash_after(head.hash)
    values: dict[str, Any] = {  # Any: one value a column
        "org_id": org_id,
        "seq": head.seq,
        "at": at,
        "action": action,
        "key_id": key_id,
        "user_id": user_id,
        "details": dict(details),
        "previous_hash": head.hash,
        "hash": sealed,
    }
    await session.execute(insert(audit_log).values(values))
    await session.execute(update(audit_heads).where(audit_heads.c.org_id == org_id).values(hash=sealed))


def _sealed(row: Row[Any]) -> Sealed:  # Any: a row of all columns
    entry = Entry(row.org_id, row.seq, row.at, row.action, row.key_id, row.user_id, row.details)
    return Sealed(entry, row.previous_hash, row.hash)


async def list_newest(session: AsyncSession, org_id: UUID, *, before: int | None, limit: int) -> Sequence[Sealed]:
    """Return entries, newest first; one more than `limit`, if there are as many."""
    statement = select(audit_log).where(audit_log.c.org_id == org_id)
    if before is not None:
        statement = statement.where(audit_log.c.seq < before)
    rows = await session.execute(statement.order_by(audit_log.c.seq.desc()).limit(limit + 1))
    return [_sealed(row) for row in rows]


async def list_from(session: AsyncSession, org_id: UUID, after: int, limit: int) -> Sequence[Sealed]:
    """Return entries in their order, from the one behind `after`."""
    statement = select(audit_log).where(audit_log.c.org_id == org_id, audit_log.c.seq > after)
    return [_sealed(row) for row in await session.execute(statement.order_by(audit_log.c.seq).limit(limit))]


async def get_head(session: AsyncSession, org_id: UUID) -> tuple[int, bytes]:
    """Return the number and the hash of the newest entry."""
    row = (await session.execute(select(audit_heads).where(audit_heads.c.org_id == org_id))).one_or_none()
    return (row.seq, row.hash) if row else (0, FIRST_HASH)
