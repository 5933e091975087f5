"""How an organisation stands with its quotas, and whether something more may be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from services.analytics.domain.plans import Limits, Plan, Quota

PERCENTS = (80, 100)
"""Of a limit: when that much is used, it is told."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What was used of each quota, in this month or in all, and what is set aside. Seconds are rounded down."""

    used: Mapping[Quota, int] = field(default_factory=dict)
    reserved: Mapping[Quota, int] = field(default_factory=dict)

    def left(self, quota: Quota, limit: int) -> int:
        """Return how much of `limit` is neither used nor set aside."""
        return max(0, limit - self.used.get(quota, 0) - self.reserved.get(quota, 0))


@dataclass(frozen=True, slots=True)
class PeriodOfQuotas:
    """How an organisation stands with what its plan covers; `resets_at` is when the month ends."""

    plan: Plan
    limits: Limits
    standing: Standing
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something may be used, by the quota that says so.

    `limit` is None when there is none; then `remaining` means nothing. `resets_at` is None for what does
    not count anew.
    """

    granted: bool
    limit: int | None
    remaining: int
    resets_at: datetime | None
    concurrency: int = 0
    """Of the organisation's plan; 0 where nobody asked."""
    quota: Quota = Quota.CHARACTERS


def decide(
    *,
    asked: int,
    used: int,
    reserved: int,
    limit: int | None,
    resets_at: datetime | None,
    quota: Quota = Quota.CHARACTERS,
) -> Decision:
    """Say whether `asked` fits beside what is used and reserved."""
    if limit is None:
        return Decision(True, None, 0, resets_at, quota=quota)
    left = max(0, limit - used - reserved)
    granted = asked <= left
    return Decision(granted, limit, left - asked if granted else left, resets_at, quota=quota)


def decide_all(asked: Mapping[Quota, int], standing: Standing, limits: Limits, resets_at: datetime) -> Decision:
    """Say whether everything that is `asked` fits: the first quota that refuses speaks, else the first that was asked.

    Of a soft quota nothing is asked for, but something has to be left.
    """
    decisions = list(_decisions(asked, standing, limits, resets_at))
    return next((one for one in decisions if not one.granted), decisions[0])


def _decisions(
    asked: Mapping[Quota, int], standing: Standing, limits: Limits, resets_at: datetime
) -> Iterator[Decision]:
    for quota, quantity in asked.items():
        yield decide(
            asked=1 if quota.is_soft else quantity,
            used=standing.used.get(quota, 0),
            reserved=standing.reserved.get(quota, 0),
            limit=limits.of(quota),
            resets_at=resets_at if quota.is_monthly else None,
            quota=quota,
        )


def speech(characters: int) -> Mapping[Quota, int]:
    """Return what a request for speech asks of the plan."""
    return {Quota.CHARACTERS: characters, Quota.REQUESTS: 1, Quota.AUDIO_SECONDS: 0, Quota.STORED_BYTES: 0}


VOICE: Mapping[Quota, int] = {Quota.CUSTOM_VOICES: 1, Quota.STORED_BYTES: 0}
"""What a voice asks of the plan."""


def thresholds(used: Decimal | int, limit: int | None) -> list[int]:
    """Return which percentages of a limit are used up; none where there is no limit, or nothing allowed at all."""
    if not limit:
        return []
    return [percent for percent in PERCENTS if used * 100 >= limit * percent]
