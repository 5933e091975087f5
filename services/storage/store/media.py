"""Media: what was uploaded and found right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.storage.domain.content import MediaKind
from services.storage.domain.uploads import MediaAsset, Purpose
from services.storage.store.tables import media_assets as media

_COLUMNS = tuple(media.c[name] for name in MediaAsset.__slots__)


@dataclass(frozen=True, slots=True)
class MediaFilter:
    """Which media somebody wants; None: whatever it is."""

    kind: MediaKind | None = None
    owner: str | None = None
    purpose: Purpose | None = None


async def insert_media(session: AsyncSession, asset: MediaAsset) -> None:
    """Write what was verified."""
    await session.execute(insert(media).values(**asdict(asset)))


async def get_media(session: AsyncSession, org_id: UUID, media_id: UUID) -> MediaAsset | None:
    """Return an asset of the organisation, or None."""
    statement = select(*_COLUMNS).where(media.c.id == media_id, media.c.org_id == org_id)
    row = (await session.execute(statement)).mappings().one_or_none()
    return _asset(row) if row else None


async def list_media(
    session: AsyncSession, org_id: UUID, wanted: MediaFilter, *, after: Cursor | None, limit: int
) -> Sequence[MediaAsset]:
    """Return up to `limit` + 1 assets of the organisation, newest first."""
    statement = select(*_COLUMNS).where(media.c.org_id == org_id)
    for name in MediaFilter.__slots__:
        if (value := getattr(wanted, name)) is not None:
            statement = statement.where(media.c[name] == value)
    if after is not None:
        statement = statement.where(tuple_(media.c.created_at, media.c.id) < (after.at, after.id))
    statement = statement.order_by(media.c.created_at.desc(), media.c.id.desc()).limit(limit + 1)
    return [_asset(row) for row in (await session.execute(statement)).mappings()]


async def list_all(session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[MediaAsset]:
    """Return up to `limit` of the assets that the transaction sees, by their ids, behind `after`."""
    statement = select(*_COLUMNS).order_by(media.c.id).limit(limit)
    if after is not None:
        statement = statement.where(media.c.id > after)
    return [_asset(row) for row in (await session.execute(statement)).mappings()]


async def delete_media(session: AsyncSession, org_id: UUID, media_id: UUID) -> MediaAsset | None:
    """Delete the row of an asset and return what it was; None if there is none."""
    statement = delete(media).where(media.c.id == media_id, media.c.org_id == org_id).returning(*_COLUMNS)
    row = (await session.execute(statement)).mappings().one_or_none()
    return _asset(row) if row else None


def _asset(row: RowMapping) -> MediaAsset:
    fields: dict[str, Any] = dict(row)  # Any: columns of many types
    return MediaAsset(**fields | {"purpose": Purpose(row["purpose"]), "kind": MediaKind(row["kind"])})
