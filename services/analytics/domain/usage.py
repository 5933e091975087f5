"""What was used, by day and by period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from services.analytics.domain.plans import Plan

USAGE_DAYS_DEFAULT = 30
USAGE_DAYS_MAX = 366


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """What an organisation used on one day (UTC)."""

    day: date
    characters: Decimal
    audio_seconds: Decimal
    generations: int
    characters_cached: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class PeriodOfUse:
    """How the organisation stands in the current period."""

    plan: Plan
    used: int
    reserved: int
    resets_at: datetime
    limit: int | None


class InvalidRange(Exception):
    """The dates asked for make no range; `field` is the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def usage_range(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    """Return the days to report on, both included; raises InvalidRange."""
    end = last or today
    # The calendar begins with the year 1: days before it are none to report on.
    default = timedelta(days=min(USAGE_DAYS_DEFAULT - 1, (end - date.min).days))
    begin = first or end - default
    if begin > end:
        raise InvalidRange("from", f"lies after the end of the range, {end.isoformat()}")
    if (end - begin).days >= USAGE_DAYS_MAX:
        raise InvalidRange("from", f"the range has more than {USAGE_DAYS_MAX} days; ask for less at once")
    return begin, end


def total(days: Sequence[DayOfUse], day: date) -> DayOfUse:
    """Return the sums over days, as if all were one `day`."""
    return DayOfUse(
        day,
        sum((one.characters for one in days), Decimal(0)),
        sum((one.audio_seconds for one in days), Decimal(0)),
        sum(one.generations for one in days),
        sum((one.characters_cached for one in days), Decimal(0)),
    )
