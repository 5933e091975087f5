"""What was used."""

from __future__ import annotations

from datetime import UTC, date

from libs.web import Caller
from services.analytics import domain, store
from services.analytics.usecases.deps import Deps


async def get_usage(
    deps: Deps, caller: Caller, first: date | None, last: date | None
) -> tuple[list[domain.DayOfUse], domain.PeriodOfUse]:
    """Return what the caller's organisation used on each day, and how it stands in this period.

    Raises InvalidRange.
    """
    now = deps.clock()
    begin, end = domain.usage_range(first, last, now.astimezone(UTC).date())
    period = domain.period_of(now)
    async with deps.database.transaction(caller.org_id) as session:
        days = await store.list_days(session, caller.org_id, begin, end)
        subscription = await store.get_subscription(session, caller.org_id)
        used, reserved = await store.used_and_reserved(session, caller.org_id, period, now)
    plan = domain.plan_in_force(subscription, default=deps.default_plan, now=now)
    return days, domain.PeriodOfUse(plan, used, reserved, domain.end_of(period))
