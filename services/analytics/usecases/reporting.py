"""What was used."""

from __future__ import annotations

from dataclasses import astuple
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.web import Caller
from services.analytics import domain, store
from services.analytics.domain import Quota
from services.analytics.domain.reports import Group, Report, ReportQuery
from services.analytics.domain.whose import Use
from services.analytics.usecases.deps import Deps


async def get_usage(deps: Deps, caller: Caller, query: ReportQuery) -> tuple[Report, domain.PeriodOfUse]:
    """Return what the caller's organisation used, and how it stands in this period.

    Raises InvalidRange, UnknownZone.
    """
    now = deps.clock()
    today = await deps.zones.today(deps.database, now, query.zone)
    begin, end = domain.usage_range(query.first, query.last, today)
    period = domain.period_of(now)
    async with deps.database.transaction(caller.org_id) as session:
        report = await _report(session, caller.org_id, query, begin, end)
        subscription = await store.get_subscription(session, caller.org_id)
        standing = await store.get_standing(session, caller.org_id, period, now)
    plan = domain.plan_in_force(subscription, default=deps.default_plan, now=now)
    used = standing.used.get(Quota.CHARACTERS, 0)
    reserved = standing.reserved.get(Quota.CHARACTERS, 0)
    return report, domain.PeriodOfUse(plan, used, reserved, domain.end_of(period), deps.plans[plan].characters)


async def _report(session: AsyncSession, org_id: UUID, query: ReportQuery, begin: date, end: date) -> Report:
    if not query.is_daily:
        return await store.get_report(session, org_id, query, begin, end)
    days = await store.list_days(session, org_id, begin, end)
    groups = [Group((day.day.isoformat(),), Use(*astuple(day)[1:])) for day in days]
    total = sum((group.use for group in groups), Use())
    return Report(begin, end, groups[: query.limit], total, has_more=len(groups) > query.limit)
