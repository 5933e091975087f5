"""Uploads: announced, completed, given up, swept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.storage.domain.content import MediaKind
from services.storage.domain.uploads import KEPT, Purpose, Status, Upload
from services.storage.store.tables import uploads

_COLUMNS = tuple(uploads.c[name] for name in Upload.__slots__)
SWEPT_AGAIN = timedelta(minutes=15)
"""After which what somebody began to sweep, and did not finish, is somebody else's."""


def locking(org_id: UUID) -> str:
    """Return the statement that lets only one transaction at a time open an upload of an organisation."""
    return f"select pg_advisory_xact_lock(hashtextextended('uploads {org_id}', 0))"


async def count_pending(session: AsyncSession, org_id: UUID, now: datetime) -> int:
    """Return how many uploads of the organisation can still be completed."""
    pending = (uploads.c.org_id == org_id) & (uploads.c.status == Status.PENDING) & (uploads.c.expires_at > now)
    return (await session.execute(select(func.count()).select_from(uploads).where(pending))).scalar_one()


async def insert_upload(session: AsyncSession, upload: Upload) -> None:
    """Write an upload that was announced."""
    times = {"sweep_at": upload.swept_last, "forget_at": upload.expires_at + KEPT}
    await session.execute(insert(uploads).values(**asdict(upload), **times))


async def get_upload(session: AsyncSession, org_id: UUID, upload_id: UUID, *, lock: bool = False) -> Upload | None:
    """Return an upload of the organisation, or None; with `lock` nobody else changes it until the transaction ends."""
    statement = select(*_COLUMNS).where(uploads.c.id == upload_id, uploads.c.org_id == org_id)
    row = (await session.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    return _upload(row) if row else None


async def set_parts_id(session: AsyncSession, upload_id: UUID, parts_id: str) -> None:
    """Note under which name the object store knows an upload in parts."""
    await session.execute(update(uploads).where(uploads.c.id == upload_id).values(parts_id=parts_id))


async def settle_upload(session: AsyncSession, upload_id: UUID, status: Status, reason: str | None = None) -> None:
    """Note what has become of an upload, for good."""
    await session.execute(update(uploads).where(uploads.c.id == upload_id).values(status=status, reason=reason))


async def claim_due(session: AsyncSession, now: datetime, most: int) -> Sequence[tuple[UUID, UUID]]:
    """Return ids and organisations of uploads whose remains are due to be removed, each for one caller at a time."""
    statement = text("select id, org_id from claim_due_uploads(:now, :again, :most)")
    rows = await session.execute(statement, {"now": now, "again": now + SWEPT_AGAIN, "most": most})
    return [(row.id, row.org_id) for row in rows]


async def sweep_next(session: AsyncSession, upload_id: UUID, at: datetime | None) -> None:
    """Note when what an upload has left behind is to be removed next; None: nothing can be left any more."""
    await session.execute(update(uploads).where(uploads.c.id == upload_id).values(sweep_at=at))


async def forget_uploads(session: AsyncSession, now: datetime, most: int) -> int:
    """Delete the rows of uploads that ended long ago; return how many."""
    statement = text("select forget_uploads(:now, :most)")
    return int((await session.execute(statement, {"now": now, "most": most})).scalar_one())


def _upload(row: RowMapping) -> Upload:
    fields: dict[str, Any] = dict(row)  # Any: columns of many types
    fields |= {"purpose": Purpose(row["purpose"]), "kind": MediaKind(row["kind"]), "status": Status(row["status"])}
    return Upload(**fields)
