"""Plans, periods and the decision whether something may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

RESERVATION_LIFETIME = timedelta(hours=1)
"""How long characters stay reserved for a generation of which nothing more is heard."""
USAGE_DAYS_DEFAULT = 30
USAGE_DAYS_MAX = 366


class Plan(StrEnum):
    """What an organisation has subscribed to."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"

    @property
    def characters(self) -> int | None:
        """Characters a calendar month (UTC); None when there is no limit."""
        return _CHARACTERS[self]

    @property
    def concurrency(self) -> int:
        """Pieces of work that the speech workers do for the organisation at the same time."""
        return _CONCURRENCY[self]


_CONCURRENCY = {Plan.FREE: 4, Plan.PRO: 16, Plan.ENTERPRISE: 1000}
_CHARACTERS: dict[Plan, int | None] = {Plan.FREE: 10_000, Plan.PRO: 500_000, Plan.ENTERPRISE: None}


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an organisation has subscribed to; status is active, cancelled or expired."""

    plan: Plan
    status: str
    end_date: datetime | None


def plan_in_force(subscription: Subscription | None, *, default: Plan, now: datetime) -> Plan:
    """Return the plan that counts: what was cancelled runs to its end, and what has ended leaves the free plan.

    `default` is for organisations that never subscribed.
    """
    if subscription is None:
        return default
    end = subscription.end_date
    runs = subscription.status == "active" if end is None else subscription.status != "expired" and now < end
    return subscription.plan if runs else Plan.FREE


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


class InvalidRange(Exception):
    """The dates asked for make no range; `field` is the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def period_of(moment: datetime) -> date:
    """Return the first day of the calendar month (UTC) in which `moment` lies."""
    return moment.astimezone(UTC).date().replace(day=1)


def end_of(period: date) -> datetime:
    """Return when the period that begins on `period` ends: the start of the next month."""
    following = (period.replace(day=28) + timedelta(days=4)).replace(day=1)
    return datetime(following.year, following.month, following.day, tzinfo=UTC)


def decide(*, asked: int, used: int, reserved: int, limit: int | None, resets_at: datetime) -> Decision:
    """Say whether `asked` characters fit beside those used and reserved."""
    if limit is None:
        return Decision(True, None, 0, resets_at)
    left = max(0, limit - used - reserved)
    granted = asked <= left
    return Decision(granted, limit, left - asked if granted else left, resets_at)


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
