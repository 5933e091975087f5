"""How much a caller may ask for: rates by the generic cell rate algorithm, and requests in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

SECOND = 1_000_000_000
"""In nanoseconds, in which all of this is counted: whole numbers, so that a limit is neither missed nor exceeded."""
KEY, ORGANIZATION, CONCURRENCY = "key", "organization", "concurrency"
"""Names of the policies, as clients see them."""


@dataclass(frozen=True)
class Rate:
    """So many requests in so many seconds: all at once, or spread out.

    A cell is the place of one request. A bucket of cells that is full takes `requests` at once; one cell comes back
    every `interval` nanoseconds. What has been taken of it is one number, the theoretical arrival time: when the bucket
    will be full again.
    """

    requests: int
    seconds: int = 60

    @cached_property
    def interval(self) -> int:
        """Nanoseconds until one more request may come, rounded up."""
        return -(-self.seconds * SECOND // self.requests)

    @cached_property
    def tolerance(self) -> int:
        """Nanoseconds until an empty bucket is full."""
        return self.requests * self.interval


@dataclass(frozen=True, slots=True)
class Grant:
    """What a bucket gave: `cells`; `available` are left; `wait` nanoseconds until there is one, 0 if there is now.

    `arrival` is the bucket's theoretical arrival time afterwards.
    """

    cells: int
    available: int
    wait: int
    arrival: int


def grant(rate: Rate, arrival: int, now: int, needed: int, more: int = 0) -> Grant:
    """Take `needed` cells, or those that there are, out of a bucket with this arrival time.

    Of `more` at most a quarter of the rest is given: the emptier the bucket, the smaller the supplies out of which
    replicas answer by themselves, down to none. The database has the same in SQL.
    """
    arrival = min(max(arrival, now), now + rate.tolerance)
    free = (now + rate.tolerance - arrival) // rate.interval
    cells = min(needed, free)
    cells += max(0, min(more, (free - cells) // 4))
    arrival += cells * rate.interval
    available = free - cells
    wait = 0 if available else max(0, arrival + rate.interval - rate.tolerance - now)
    return Grant(cells, available, wait, arrival)


@dataclass(frozen=True)
class PlanLimits:
    """What a plan allows: to each key, to an organisation with all of its keys, and how much at the same time."""

    key: Rate
    organization: Rate
    concurrent: int

    @cached_property
    def policy_field(self) -> bytes:
        """The value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10)."""
        rates = [(KEY, self.key), (ORGANIZATION, self.organization)]
        items = [f'"{name}";q={rate.requests};w={rate.seconds}' for name, rate in rates]
        return ", ".join([*items, f'"{CONCURRENCY}";q={self.concurrent};qu="concurrent-requests"']).encode()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands with one policy: `remaining` of its quota, and seconds until there is more."""

    policy: str
    remaining: int
    reset: int | None = None


class LimitReached(Exception):
    """The caller has asked for more than the plan allows, and may ask again after `retry_after` seconds.

    `policy` is the limit that was reached; `standings` has those of all.
    """

    def __init__(self, policy: str, limit: int, retry_after: int, standings: Sequence[Standing]) -> None:
        super().__init__(policy)
        self.policy = policy
        self.limit = limit
        self.retry_after = retry_after
        self.standings = standings


class StrangerLimitReached(Exception):
    """Too much came from one place without a valid key; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


def standing_field(standings: Sequence[Standing]) -> bytes:
    """Return the value of RateLimit, of the same draft as that of RateLimit-Policy."""
    return ", ".join(
        f'"{one.policy}";r={one.remaining}' if one.reset is None else f'"{one.policy}";r={one.remaining};t={one.reset}'
        for one in standings
    ).encode()


def whole_seconds(nanoseconds: int) -> int:
    """Return a wait as clients are told it: in seconds, rounded up, at least one."""
    return max(1, -(-nanoseconds // SECOND))
