"""What anonymous visitors do: written without them, and told of groups alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from libs.database import is_database_away
from services.analytics import domain
from services.analytics.domain.anonymity import SUMMARY_DAYS_MAX, Count, Funnel, GroupOfDay, K, split, widened
from services.analytics.store import product_events as store
from services.analytics.usecases.deps import Deps

TEND_SECONDS = 600.0
"""How long after its day is over a salt may still be there."""
AWAY_SECONDS = 5.0
SETTLED_DAYS = 3
"""For so many days what comes late still changes a day's funnel."""
logger = logging.getLogger(__name__)


async def record_events(deps: Deps, token: bytes, events: Sequence[store.NewEvent]) -> None:
    """Write down what a visitor did, who is known by a token of the gateway's."""
    now = deps.clock().astimezone(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    async with deps.database.transaction() as session:
        await store.insert_events(session, token, events, today=now.date(), hour=hour)


def finished_days(deps: Deps, first: date | None, last: date | None) -> tuple[date, date]:
    """Return the days to report on, both included and over: of one that is not, each look would tell who came since.

    Raises InvalidRange.
    """
    yesterday = deps.clock().astimezone(UTC).date() - timedelta(days=1)
    begin, end = domain.usage_range(first, last, yesterday)
    if (end - begin).days >= SUMMARY_DAYS_MAX:
        raise domain.InvalidRange("from", f"the range has more than {SUMMARY_DAYS_MAX} days; ask for less at once")
    return begin, min(end, yesterday)


async def summarize(
    deps: Deps, first: date | None, last: date | None, *, name: str | None, by: str | None
) -> tuple[date, date, list[GroupOfDay]]:
    """Return what happened on days that are over, by event or by a property of one, in groups of K visitors or more.

    Raises InvalidRange.
    """
    begin, end = finished_days(deps, first, last)
    told: list[GroupOfDay] = []
    async with deps.database.transaction() as session:
        days = await store.count_groups(session, begin, end, name=name, by=by)
        for day in sorted(days):
            told += await _told(session, day, days[day], name, by)
    return begin, end, told


async def _told(
    session: AsyncSession, day: date, groups: dict[str, Count], name: str | None, by: str | None
) -> list[GroupOfDay]:
    parts = split({group: count.visitors for group, count in groups.items()})
    other: Count | None = None
    if parts.merged:
        other = await store.count_together(session, day, parts.merged, name=name, by=by)
        if other.visitors < K and parts.told:
            parts = widened(parts)
            other = await store.count_together(session, day, parts.merged, name=name, by=by)
    told = [GroupOfDay(day, group, groups[group]) for group in parts.told]
    if other is not None and other.visitors >= K:
        told.append(GroupOfDay(day, "", other, is_other=True))
    return told


async def list_funnels(deps: Deps, first: date | None, last: date | None) -> tuple[date, date, list[Funnel]]:
    """Return how many took each step, by days that are over. Raises InvalidRange."""
    begin, end = finished_days(deps, first, last)
    async with deps.database.transaction() as session:
        return begin, end, await store.list_funnels(session, begin, end)


async def tend_product_events(deps: Deps) -> None:
    """Destroy the salts of days that are over, count their funnels, and delete what is older than is kept."""
    now = deps.clock().astimezone(UTC)
    today = now.date()
    async with deps.database.transaction() as session:
        if await store.forget_salts(session, today):
            logger.info("the salt of the day before is destroyed")
    kept = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=deps.product_event_days)
    async with deps.database.transaction() as session:
        for days in range(1, SETTLED_DAYS + 1):
            await store.save_funnel(session, today - timedelta(days=days), now)
        await store.delete_events(session, kept)


async def keep_product_events(deps: Deps) -> None:
    """Tend to the events of visitors again and again."""
    while True:
        try:
            await tend_product_events(deps)
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("product events wait for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(AWAY_SECONDS)
        else:
            await asyncio.sleep(TEND_SECONDS)
