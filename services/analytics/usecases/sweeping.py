"""What is looked for now and then: what has expired, and sums that are not what the ledger says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from functools import partial

from opentelemetry import metrics

from libs.database import is_database_away
from services.analytics import domain, store
from services.analytics.store import Difference
from services.analytics.usecases.deps import Deps
from services.analytics.usecases.reserving import release_expired
from services.analytics.usecases.subscribing import apply_due_changes

AWAY_SECONDS = 5.0

logger = logging.getLogger(__name__)
_differences = metrics.get_meter("antiphon.analytics").create_gauge(
    "antiphon.analytics.differences", description="Sums that are not what the ledger says"
)
_expired = metrics.get_meter("antiphon.analytics").create_counter(
    "antiphon.analytics.expired", description="Reservations released and subscriptions changed because of their time"
)


async def keep_limits(deps: Deps) -> None:
    """Write down what the plans cover, and which is the default, for those who have no settings."""
    async with deps.database.transaction() as session:
        await store.save_limits(session, deps.plans.limits, deps.default_plan)


async def sweep(deps: Deps, every_seconds: float) -> None:
    """Release what was set aside too long, and let subscriptions end and change; until cancelled."""
    await _repeat(partial(sweep_once, deps), every_seconds, "sweep")


async def sweep_once(deps: Deps) -> None:
    """Look once for what has expired."""
    now = deps.clock()
    if released := await release_expired(deps, now):
        _expired.add(released, {"kind": "reservation"})
        logger.info("expired reservations released", extra={"count": released})
    if changed := await apply_due_changes(deps, now):
        _expired.add(changed, {"kind": "subscription"})
        logger.info("subscriptions changed by time", extra={"count": changed})


async def reconcile(deps: Deps, every_seconds: float) -> None:
    """Compare sums with the ledger; until cancelled."""
    await _repeat(partial(find_differences, deps), every_seconds, "comparison of sums")


async def find_differences(deps: Deps) -> list[Difference]:
    """Compare the sums of this month and the last with the ledger; differences are logged and counted."""
    today = deps.clock().astimezone(UTC)
    found = await _differing(deps, _month_before(today))
    _differences.set(len(found))
    for one in found[:20]:
        logger.error(
            "a sum is not what the ledger says; `antiphon usage verify --repair` adds it up anew",
            extra={
                "sum": one.what,
                "org_id": str(one.org_id),
                "period": str(one.period),
                "unit": one.unit,
                "kept": str(one.kept),
                "counted": str(one.counted),
            },
        )
    return found


async def _differing(deps: Deps, since: date) -> list[Difference]:
    async with deps.database.transaction() as session:
        return await store.list_differences(session, since)


def _month_before(moment: datetime) -> date:
    this = domain.period_of(moment)
    return date(this.year - 1, 12, 1) if this.month == 1 else this.replace(month=this.month - 1)


async def _repeat(task: Callable[[], Awaitable[object]], every_seconds: float, name: str) -> None:
    while True:
        try:
            await task()
        except Exception as error:
            if not is_database_away(error):
                raise
            logger.warning("%s waits for the database", name, extra={"error": type(error).__name__})
            await asyncio.sleep(AWAY_SECONDS)
        else:
            await asyncio.sleep(every_seconds)
