"""The ledger as it is told line by line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from services.analytics.domain.reports import EVERYTHING, UTC_ZONE, Wanted

COLUMNS = ("id", "at", "unit", "quantity", "generation_id", "voice_id", "key_id", "user_id", "format")
Line: TypeAlias = tuple[UUID, datetime, str, Decimal, UUID, UUID | None, UUID | None, UUID | None, str | None]
"""One line, by COLUMNS; a tuple, as there are millions of them."""
FileFormat = Literal["csv", "parquet"]


@dataclass(frozen=True, slots=True)
class LinesQuery:
    """Which lines are wanted: those of days of a time zone, both included and None for the default."""

    first: date | None = None
    last: date | None = None
    zone: str = UTC_ZONE
    wanted: Wanted = EVERYTHING
