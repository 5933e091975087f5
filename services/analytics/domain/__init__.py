"""Plans, periods and the decision whether something may be used."""

from __future__ import annotations

from services.analytics.domain.metering import RESERVATION_LIFETIME, Decision, Entry, Reservation, Unit, decide
from services.analytics.domain.periods import end_of, period_of
from services.analytics.domain.plans import Plan, Subscription, plan_in_force
from services.analytics.domain.usage import (
    USAGE_DAYS_DEFAULT,
    USAGE_DAYS_MAX,
    DayOfUse,
    InvalidRange,
    PeriodOfUse,
    total,
    usage_range,
)

__all__ = [
    "RESERVATION_LIFETIME",
    "USAGE_DAYS_DEFAULT",
    "USAGE_DAYS_MAX",
    "DayOfUse",
    "Decision",
    "Entry",
    "InvalidRange",
    "PeriodOfUse",
    "Plan",
    "Reservation",
    "Subscription",
    "Unit",
    "decide",
    "end_of",
    "period_of",
    "plan_in_force",
    "total",
    "usage_range",
]
