"""Generations as organisations look for them: by page and filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    literal,
    select,
    tuple_,
)
from sqlalchemy import func as sql
from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import Cursor
from services.generation.domain.requests import TEXT_MAX_LENGTH, Generation, Mode, Status
from services.generation.store.generations import PROGRESS, STATUS, STORED, WITH_RENDITION, generations

# A hundred books are too much for a page.
_BEGINNING = sql.substr(generations.c.text, 1, TEXT_MAX_LENGTH).label("text")
_LISTED: Select[Any] = select(
    *(column for column in STORED if column.name != "text"), _BEGINNING, *PROGRESS
).select_from(WITH_RENDITION)


def _generation(row: Row[Any]) -> Generation:
    fields = row._asdict()
    return Generation(**{name: fields[name] for name in Generation.__slots__})


@dataclass(frozen=True, slots=True)
class GenerationFilter:
    """Which generations to list; None is any. `text` is looked for in any case, `since` is included, `until` not."""

    status: Status | None = None
    voice_id: UUID | None = None
    mode: Mode | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[UUID] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what it says as conditions on the table."""
        table = generations.c
        equal = {table.voice_id: self.voice_id, table.mode: self.mode}
        conditions: list[ColumnElement[bool]] = [
            column == value for column, value in equal.items() if value is not None
        ]
        if self.status is not None:
            conditions.append(STATUS.is_not_distinct_from(self.status))
            # The stored status is what the index knows.
            stored = "pending" if self.status == "processing" else self.status
            conditions.append(table.status.in_((stored, self.status)))
        if self.text is not None:
            conditions.append(table.text.icontains(self.text, autoescape=True))
        if self.since is not None:
            conditions.append(table.created_at >= self.since)
        if self.until is not None:
            conditions.append(table.created_at < self.until)
        if self.ids is not None:
            conditions.append(table.id.in_(self.ids))
        return conditions


async def list_generations(
    session: AsyncSession, org_id: UUID, which: GenerationFilter, *, after: Cursor | None, limit: int
) -> list[Generation]:
    """Return generations, newest first, one more than `limit` when there are more; of long texts the beginning."""
    position = tuple_(generations.c.created_at, generations.c.id)
    statement = _LISTED.where(generations.c.org_id == org_id, *which.conditions())
    if after is not None:
        statement = statement.where(position < tuple_(literal(after.at), literal(after.id)))
    statement = statement.order_by(generations.c.created_at.desc(), generations.c.id.desc()).limit(limit + 1)
    return [_generation(row) for row in await session.execute(statement)]
