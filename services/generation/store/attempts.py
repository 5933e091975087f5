"""The history of tries to make a rendition's audio."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, MetaData, Table, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUuid
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Prepared

_metadata = MetaData()
_uuid = PgUuid(as_uuid=True)

attempts = Table(
    "generation_attempts",
    _metadata,
    Column("id", _uuid, primary_key=True),
    Column("rendition_id", _uuid),
    Column("org_id", _uuid),
    Column("model_id", Text),
    Column("status", Text),
    Column("error", Text),
    Column("timings", JSONB),
    Column("settings", JSONB),
    Column("created_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: rendered or failed, with its timings in seconds."""

    id: UUID
    model_id: str
    status: str
    error: str | None
    timings: dict[str, float]
    settings: dict[str, Any]  # Any: what the work was, and the engine's own values
    created_at: datetime


# A rendition that is gone has no history to write; one that is just going is waited for.
_INSERT = Prepared(
    text(
        """
    insert into generation_attempts (id, rendition_id, org_id, model_id, status, error, timings, settings)
    select :id, r.id, r.org_id, :model_id, :status, :error, :timings, :settings
    from renditions r where r.id = :rendition_id for key share
    """
    ).bindparams(
        bindparam("id", type_=_uuid),
        bindparam("rendition_id", type_=_uuid),
        bindparam("error", type_=Text),
        bindparam("timings", type_=JSONB),
        bindparam("settings", type_=JSONB),
        bindparam("model_id", type_=Text),
        bindparam("status", type_=Text),
    )
)


async def insert_attempt(
    session: AsyncSession,
    attempt_id: UUID,
    rendition_id: UUID,
    *,
    model_id: str,
    error: str | None = None,
    timings: dict[str, float] | None = None,
    settings: dict[str, Any] | None = None,  # Any: as in Attempt
) -> None:
    """Write down a try that succeeded, or failed with `error`."""
    row = {
        "id": attempt_id,
        "rendition_id": rendition_id,
        "model_id": model_id,
        "status": "failed" if error else "rendered",
        "error": error,
        "timings": timings or {},
        "settings": settings or {},
    }
    await _INSERT.fetch(session, **row)


async def list_attempts(session: AsyncSession, rendition_id: UUID, limit: int = 100) -> list[Attempt]:
    """Return the last tries, oldest first."""
    statement = (
        select(*(attempts.c[name] for name in Attempt.__slots__))
        .where(attempts.c.rendition_id == rendition_id)
        .order_by(attempts.c.created_at.desc(), attempts.c.id.desc())
        .limit(limit)
    )
    return [Attempt(**row._asdict()) for row in await session.execute(statement)][::-1]
