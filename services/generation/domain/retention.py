"""For how long audio is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

GRACE = timedelta(days=7)
"""For how long a plan is in force before anything goes by it: who falls back to a smaller one by mistake loses nothing
at once."""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days the audio of each plan is kept after it was last asked for; a plan without is kept for good."""

    days: Mapping[str, int]

    def expired_before(self, now: datetime) -> dict[str, datetime]:
        """Return for each plan before which time audio must have been asked for to have expired."""
        return {plan: now - timedelta(days=days) for plan, days in self.days.items() if days}
