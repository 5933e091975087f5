"""Plans, periods and the decision whether something may be used."""

from __future__ import annotations

from services.analytics.domain.metering import (
    RESERVATION_LIFETIME,
    VOICE_RESERVATION_LIFETIME,
    Entry,
    Reservation,
    Unit,
)
from services.analytics.domain.periods import end_of, oldest_month, period_of
from services.analytics.domain.plans import LIMITS, Limits, Plan, Plans, Quota
from services.analytics.domain.quotas import (
    VOICE,
    Decision,
    PeriodOfQuotas,
    Standing,
    decide,
    decide_all,
    speech,
    thresholds,
)
from services.analytics.domain.subscriptions import (
    Effective,
    InvalidChange,
    Subscription,
    WantedSubscription,
    as_of,
    change,
    plan_in_force,
)
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
    "LIMITS",
    "RESERVATION_LIFETIME",
    "USAGE_DAYS_DEFAULT",
    "USAGE_DAYS_MAX",
    "VOICE",
    "VOICE_RESERVATION_LIFETIME",
    "DayOfUse",
    "Decision",
    "Effective",
    "Entry",
    "InvalidChange",
    "InvalidRange",
    "Limits",
    "PeriodOfQuotas",
    "PeriodOfUse",
    "Plan",
    "Plans",
    "Quota",
    "Reservation",
    "Standing",
    "Subscription",
    "Unit",
    "WantedSubscription",
    "as_of",
    "change",
    "decide",
    "decide_all",
    "end_of",
    "oldest_month",
    "period_of",
    "plan_in_force",
    "speech",
    "thresholds",
    "total",
    "usage_range",
]
