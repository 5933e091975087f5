"""The analytics service's consumers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.analytics.consumers import CONSUMERS as ANALYTICS
from services.analytics.domain import Plan
from services.analytics.usecases import Deps as AnalyticsDeps
from tests.integration.shuffled.histories import History
from tests.integration.shuffled.lives import BEGINNING
from tests.integration.shuffled.parties.idle import now
from tests.integration.shuffled.stage import Emitted, Party, Stage


async def _reservations(stage: Stage, history: History) -> None:
    """Characters are held for every generation that was not put off."""
    held = [made for made in history.generations if not made.is_deferred]
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into reservations (id, org_id, characters, status, expires_at) values ($1, $2, $3, 'held', $4)",
            [(made.id, made.org_id, len(made.text), BEGINNING + timedelta(hours=1)) for made in held],
        )


async def _analytics_deps(stage: Stage) -> AnalyticsDeps:
    return AnalyticsDeps(database=stage.database, objects=stage.objects, default_plan=Plan.FREE, clock=now)


def _billed(_history: History, emitted: Sequence[Emitted]) -> list[str]:
    """Each event counts."""
    return [one.fields("usage_id") for one in emitted]


ANALYTICS_PARTY = Party(
    ANALYTICS,
    "analytics",
    "analytics",
    _reservations,
    _analytics_deps,
    _billed,
    # Of a reservation that nobody had asked for: the time at which it was decided.
    hidden={"reservations": frozenset({"expires_at"})},
)
