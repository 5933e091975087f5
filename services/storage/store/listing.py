"""Tracks by their own ids, and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.storage.store.tables import tracks

TEXT_SHOWN = 5_000
"""Characters of a text that a list shows: a hundred books are too much for a page."""


@dataclass(frozen=True, slots=True)
class ListedTrack:
    """A track with all that clients are told of it."""

    id: UUID
    generation_id: UUID
    text: str
    input_type: Literal["text", "ssml"]
    language: str
    model_id: str
    duration_seconds: float
    format: str
    content_type: str
    sample_rate: int
    size_bytes: int
    sha256: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TrackFilter:
    """Which tracks to list; None is any. `since` is included, `until` not."""

    generation_id: UUID | None = None
    format: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what it says as conditions on the table."""
        table = tracks.c
        equal = {table.generation_id: self.generation_id, table.format: self.format}
        conditions: list[ColumnElement[bool]] = [
            column == value for column, value in equal.items() if value is not None
        ]
        if self.since is not None:
            conditions.append(table.created_at >= self.since)
        if self.until is not None:
            conditions.append(table.created_at < self.until)
        return conditions


_FROM_METADATA = {
    "input_type": func.coalesce(tracks.c.metadata["input_type"].astext, "text"),
    "model_id": func.coalesce(tracks.c.metadata["model_id"].astext, ""),
}


def _columns(text: ColumnElement[str]) -> list[ColumnElement[Any]]:  # Any: columns are of many types
    found = {name: _FROM_METADATA[name] if name in _FROM_METADATA else tracks.c[name] for name in ListedTrack.__slots__}
    return [column.label(name) for name, column in (found | {"text": text}).items()]


async def list_tracks(
    session: AsyncSession, org_id: UUID, which: TrackFilter, *, after: Cursor | None, limit: int
) -> Sequence[ListedTrack]:
    """Return up to `limit` + 1 tracks of the organisation, newest first."""
    statement = (
        select(*_columns(func.substr(tracks.c.text, 1, TEXT_SHOWN)))
        .where(tracks.c.org_id == org_id, *which.conditions())
        .order_by(tracks.c.created_at.desc(), tracks.c.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(
            tuple_(tracks.c.created_at, tracks.c.id) < tuple_(literal(after.at), literal(after.id))
        )
    return [ListedTrack(**row._asdict()) for row in await session.execute(statement)]


async def get_track(session: AsyncSession, org_id: UUID, track_id: UUID) -> ListedTrack | None:
    """Return a track of the organisation with all of its text, or None."""
    statement = select(*_columns(tracks.c.text)).where(tracks.c.id == track_id, tracks.c.org_id == org_id)
    row = (await session.execute(statement)).one_or_none()
    return ListedTrack(**row._asdict()) if row else None
