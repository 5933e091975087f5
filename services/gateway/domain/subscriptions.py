"""What the operator wants an organisation's subscription to be, and what it became."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.gateway.domain.organizations import Plan


@dataclass(frozen=True, slots=True)
class WantedSubscription:
    """A plan from now on, or from the end of the month; without `effective` upgrades come at once."""

    plan: Plan
    status: Literal["active", "cancelled"]
    effective: Literal["now", "period_end"] | None
    end_date: datetime | None


@dataclass(frozen=True, slots=True)
class ChangedSubscription:
    """What an organisation has subscribed to. `plan_in_force` is the plan whose limits count."""

    plan: str
    status: str
    plan_in_force: str
    start_date: datetime | None
    end_date: datetime | None
    next_plan: str | None
    changes_at: datetime | None


class InvalidSubscription(Exception):
    """A subscription cannot become that; `field` is the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class OrganizationNotFound(Exception):
    """There is no such organisation."""
