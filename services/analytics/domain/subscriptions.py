"""What organisations have subscribed to, and how that changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from services.analytics.domain.plans import Plan

Effective = Literal["now", "period_end"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an organisation has subscribed to; status is active, cancelled or expired.

    At `changes_at` the plan becomes `next_plan`. `revision` grows with every change.
    """

    plan: Plan
    status: str
    end_date: datetime | None
    start_date: datetime | None = None
    next_plan: Plan | None = None
    changes_at: datetime | None = None
    revision: int = 0

    def runs(self, now: datetime) -> bool:
        """Say whether its plan counts: what was cancelled runs to its end."""
        if self.end_date is None:
            return self.status == "active"
        return self.status != "expired" and now < self.end_date


@dataclass(frozen=True, slots=True)
class WantedSubscription:
    """What the operator wants it to be; without `effective` upgrades come at once, the rest when the month ends."""

    plan: Plan
    status: Literal["active", "cancelled"] = "active"
    effective: Effective | None = None
    end_date: datetime | None = None


class InvalidChange(Exception):
    """A subscription cannot become that; `field` is the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def as_of(subscription: Subscription, now: datetime) -> Subscription:
    """Return what time has made of a subscription; the same where nothing was due."""
    changed = subscription
    if changed.next_plan is not None and changed.changes_at is not None and now >= changed.changes_at:
        changed = replace(
            changed, plan=changed.next_plan, start_date=changed.changes_at, next_plan=None, changes_at=None
        )
    if changed.end_date is not None and changed.status != "expired" and now >= changed.end_date:
        changed = replace(changed, status="expired", next_plan=None, changes_at=None)
    return changed if changed == subscription else replace(changed, revision=subscription.revision + 1)


def plan_in_force(subscription: Subscription | None, *, default: Plan, now: datetime) -> Plan:
    """Return the plan that counts: what was cancelled runs to its end, and what has ended leaves the free plan.

    `default` is for organisations that never subscribed.
    """
    if subscription is None:
        return default
    current = as_of(subscription, now)
    return current.plan if current.runs(now) else Plan.FREE


def change(
    subscription: Subscription | None, wanted: WantedSubscription, *, now: datetime, period_end: datetime
) -> Subscription:
    """Return the subscription as it is wanted; the same, revision included, where nothing changes.

    Raises InvalidChange.
    """
    current = as_of(subscription, now) if subscription else Subscription(Plan.FREE, "expired", now)
    changed = (
        _cancelled(current, wanted, now, period_end)
        if wanted.status == "cancelled"
        else _active(current, wanted, now, period_end)
    )
    known = subscription or current
    return (
        known if replace(changed, revision=known.revision) == known else replace(changed, revision=known.revision + 1)
    )


def _cancelled(current: Subscription, wanted: WantedSubscription, now: datetime, period_end: datetime) -> Subscription:
    if wanted.plan is not current.plan:
        raise InvalidChange("plan", f"is {current.plan} now: cancel that, or subscribe to {wanted.plan} as active")
    if wanted.end_date is not None:
        raise InvalidChange("end_date", "leave it out: a cancellation takes effect now or when the period ends")
    if not current.runs(now):
        return current
    if wanted.effective == "now":
        return replace(current, status="expired", end_date=now, next_plan=None, changes_at=None)
    end = period_end if current.end_date is None else min(current.end_date, period_end)
    return replace(current, status="cancelled", end_date=end, next_plan=None, changes_at=None)


def _active(current: Subscription, wanted: WantedSubscription, now: datetime, period_end: datetime) -> Subscription:
    runs = current.runs(now)
    same = runs and wanted.plan is current.plan
    at_once = not runs or same or wanted.plan.is_above(current.plan)
    effective = wanted.effective or ("now" if at_once else "period_end")
    if wanted.end_date is not None and wanted.end_date <= now:
        raise InvalidChange("end_date", "is past; name a moment to come, or leave it out")
    if effective == "now" or not runs or same:
        return Subscription(
            plan=wanted.plan,
            status="active",
            end_date=wanted.end_date,
            start_date=current.start_date if same else now,
            revision=current.revision,
        )
    if wanted.end_date is not None and wanted.end_date <= period_end:
        raise InvalidChange("end_date", f"lies before {wanted.plan} begins, at {period_end.isoformat()}")
    return replace(current, status="active", end_date=wanted.end_date, next_plan=wanted.plan, changes_at=period_end)
