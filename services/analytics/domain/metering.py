"""What is metered, and the decision whether something may be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from services.analytics.domain.whose import Whose

RESERVATION_LIFETIME = timedelta(hours=1)
"""How long characters stay reserved for a generation of which nothing more is heard."""


class Unit(StrEnum):
    """What is metered."""

    CHARACTERS = "characters"
    AUDIO_SECONDS = "audio_seconds"
    CHARACTERS_CACHED = "characters_cached"
    """Characters of texts whose speech was there already; they count against no plan."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether characters may be used. `limit` is None when there is none; then `remaining` means nothing."""

    granted: bool
    limit: int | None
    remaining: int
    resets_at: datetime
    concurrency: int = 0
    """Of the organisation's plan; 0 where nobody asked."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Characters that were set aside; status is held, settled or released."""

    status: str
    expires_at: datetime

    def answer(self, now: datetime, *, again: bool = False) -> bool | None:
        """Return what was decided about it; None once it has expired, for then it is to be decided anew.

        With `again` that is so of what was released, too.
        """
        if self.status == "held":
            return True if now < self.expires_at else None
        if again and self.status == "released":
            return None
        return self.status == "settled"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    id: UUID
    event_id: UUID
    org_id: UUID
    unit: Unit
    quantity: Decimal
    resource_id: UUID
    at: datetime
    whose: Whose


def decide(*, asked: int, used: int, reserved: int, limit: int | None, resets_at: datetime) -> Decision:
    """Say whether `asked` characters fit beside those used and reserved."""
    if limit is None:
        return Decision(True, None, 0, resets_at)
    left = max(0, limit - used - reserved)
    granted = asked <= left
    return Decision(granted, limit, left - asked if granted else left, resets_at)
