"""Keyset pagination: an opaque cursor names the last row of a page, never an offset."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

import orjson

Row = TypeVar("Row")


class InvalidCursor(Exception):
    """The cursor was not made by this API."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position behind a row, in an order by time and id."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """Return the opaque text that clients hand back."""
        return base64.urlsafe_b64encode(orjson.dumps([self.at.isoformat(), str(self.id)])).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read what `encode` wrote; raises InvalidCursor."""
        try:
            at, row_id = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            moment = datetime.fromisoformat(at)
            if moment.tzinfo is None:
                raise InvalidCursor(text)
            # Now, rather than in the database, for a moment that has no equivalent in UTC.
            return cls(at=moment.astimezone(UTC), id=UUID(row_id))
        except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
            raise InvalidCursor(text) from error


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows and where the next ones begin; `next_cursor` is None on the last page."""

    items: Sequence[Row]
    next_cursor: str | None


def page_of(rows: Sequence[Row], limit: int, position: Callable[[Row], Cursor]) -> Page[Row]:
    """Make a page of at most `limit` of `rows`, which were fetched with one row to spare."""
    items = rows[:limit]
    more = len(rows) > limit
    return Page(items=items, next_cursor=position(items[-1]).encode() if more else None)
