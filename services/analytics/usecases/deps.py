"""What the use cases work with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from libs.database import Database
from libs.objectstore import ObjectStore
from services.analytics import domain
from services.analytics.usecases.zones import Zones

PLAN_SECONDS = 1.0
"""How much longer an organisation may go on without a limit when its plan changes."""
PLANS_KEPT = 10_000


class Unlimited:
    """Plans without a limit, remembered for a moment: then a request needs no transaction here."""

    def __init__(self) -> None:
        """Nothing is known at first."""
        self._known: dict[UUID, tuple[float, domain.Limits]] = {}

    def get(self, org_id: UUID) -> domain.Limits | None:
        """Return what the plan of an organisation covers that had no limit a moment ago, or None."""
        until, limits = self._known.get(org_id, (0.0, None))
        return limits if time.monotonic() < until else None

    def keep(self, org_id: UUID, limits: domain.Limits) -> None:
        """Remember that an organisation's plan has no limit."""
        if len(self._known) >= PLANS_KEPT:
            self._known.clear()
        self._known[org_id] = time.monotonic() + PLAN_SECONDS, limits

    def forget(self, org_id: UUID) -> None:
        """Look up anew what an organisation's plan covers."""
        self._known.pop(org_id, None)


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with. `default_plan` is for organisations that never subscribed."""

    database: Database
    objects: ObjectStore
    default_plan: domain.Plan
    clock: Callable[[], datetime]
    plans: domain.Plans = field(default_factory=domain.Plans)
    unlimited: Unlimited = field(default_factory=Unlimited)
    zones: Zones = field(default_factory=Zones)
    ledger_months: int = 25
    product_event_days: int = 400
