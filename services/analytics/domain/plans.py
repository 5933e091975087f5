"""Plans, and which one is in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
