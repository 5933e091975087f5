"""What is metered, and what is set aside for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from services.analytics.domain.whose import Whose

RESERVATION_LIFETIME = timedelta(hours=1)
"""How long characters stay reserved for a generation of which nothing more is heard."""
VOICE_RESERVATION_LIFETIME = timedelta(minutes=10)
"""The same for a voice: it is made in one request, and heard of when the broker is back at the latest."""


class Unit(StrEnum):
    """What is metered."""

    CHARACTERS = "characters"
    AUDIO_SECONDS = "audio_seconds"
    CHARACTERS_CACHED = "characters_cached"
    """Characters of texts whose speech was there already; they count against no plan."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside; status is held, settled or released."""

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
