"""Plans, and what each of them covers: one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

GIB = 2**30


class Quota(StrEnum):
    """What a plan limits; the first three count anew every calendar month (UTC), the others what there is."""

    CHARACTERS = "characters"
    """Characters that are spoken."""
    REQUESTS = "requests"
    """Requests for speech that were completed."""
    AUDIO_SECONDS = "audio_seconds"
    STORED_BYTES = "stored_bytes"
    """Audio, recordings of voices and other files."""
    CUSTOM_VOICES = "custom_voices"

    @property
    def is_monthly(self) -> bool:
        """Say whether it counts anew every month."""
        return self in (Quota.CHARACTERS, Quota.REQUESTS, Quota.AUDIO_SECONDS)

    @property
    def is_soft(self) -> bool:
        """Say whether it is known only afterwards: what exceeds it is finished, and what comes next is refused."""
        return self in (Quota.AUDIO_SECONDS, Quota.STORED_BYTES)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan covers; None is without a limit. `concurrency`: pieces of work that workers do at the same time."""

    characters: int | None
    requests: int | None
    audio_seconds: int | None
    stored_bytes: int | None
    custom_voices: int | None
    concurrency: int

    def of(self, quota: Quota) -> int | None:
        """Return the limit of one quota."""
        limit: int | None = getattr(self, quota.value)
        return limit

    def __iter__(self) -> Iterator[tuple[Quota, int | None]]:
        """Yield each quota with its limit."""
        return ((quota, self.of(quota)) for quota in Quota)

    @property
    def is_unlimited(self) -> bool:
        """Say whether nothing needs to be compared."""
        return all(limit is None for _, limit in self)


class Plan(StrEnum):
    """What an organisation has subscribed to, the smallest first."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"

    @property
    def characters(self) -> int | None:
        """Characters a calendar month (UTC), where settings do not say otherwise; None when there is no limit."""
        return LIMITS[self].characters

    @property
    def concurrency(self) -> int:
        """What is done for the organisation at the same time, where settings do not say otherwise."""
        return LIMITS[self].concurrency

    def is_above(self, other: Plan) -> bool:
        """Say whether going from `other` to this one is an upgrade."""
        order = list(Plan)
        return order.index(self) > order.index(other)


LIMITS: Mapping[Plan, Limits] = {
    Plan.FREE: Limits(
        characters=10_000,
        requests=2_000,
        audio_seconds=3_600,
        stored_bytes=1 * GIB,
        custom_voices=10,
        concurrency=4,
    ),
    Plan.PRO: Limits(
        characters=500_000,
        requests=100_000,
        audio_seconds=180_000,
        stored_bytes=100 * GIB,
        custom_voices=100,
        concurrency=16,
    ),
    Plan.ENTERPRISE: Limits(
        characters=None,
        requests=None,
        audio_seconds=None,
        stored_bytes=None,
        custom_voices=None,
        concurrency=1000,
    ),
}


@dataclass(frozen=True, slots=True)
class Plans:
    """What each plan covers in this installation."""

    limits: Mapping[Plan, Limits] = field(default_factory=lambda: LIMITS)

    @classmethod
    def changed(cls, changes: Mapping[str, Mapping[str, int | None]]) -> Plans:
        """Return the plans with some limits changed, by plan and quota."""
        # Any: `replace` takes what the fields take, which the settings have checked.
        return cls({plan: replace(limits, **dict(changes.get(plan, {}))) for plan, limits in LIMITS.items()})  # type: ignore[arg-type]

    def __getitem__(self, plan: Plan) -> Limits:
        """Return what a plan covers."""
        return self.limits[plan]
