"""What happens to an event whose handler failed: later again, or to the dead letters."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from enum import Enum

import nats.errors
import nats.js.errors

from libs.contracts.registry import UndecodableEvent, UnknownEvent
from libs.database import is_database_away


class Permanent(Exception):
    """Raised by a handler for what no repetition can mend: straight to the dead letters."""


class Unavailable(Exception):
    """Raised by a handler when something that it needs is away: tried again for as long as it takes."""


class Verdict(Enum):
    """How a failure is treated."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    UNAVAILABLE = "unavailable"


def judge(error: BaseException) -> Verdict:
    """Sort a handler's exception: permanent, worth a limited number of tries, or an outage."""
    if isinstance(error, Permanent | UnknownEvent | UndecodableEvent):
        return Verdict.PERMANENT
    if isinstance(error, Unavailable | OSError | asyncio.TimeoutError | nats.errors.Error | nats.js.errors.Error):
        return Verdict.UNAVAILABLE
    if is_database_away(error):
        return Verdict.UNAVAILABLE
    return Verdict.TRANSIENT


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Growing, jittered delays between tries.

    `delays`: seconds before the second, third, … try; after the last one the event is a dead letter.
    `ack_wait`: seconds without a sign of life after which the broker delivers again.
    """

    delays: tuple[float, ...] = (0.5, 2.0, 8.0, 30.0, 120.0)
    ack_wait: float = 10.0

    @property
    def tries(self) -> int:
        """How often a failing event is tried in all."""
        return len(self.delays) + 1

    def delay(self, tried: int) -> float:
        """Return the seconds to wait after try number `tried` (from 1), ±20%."""
        return self.delays[min(tried, len(self.delays)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter

    def is_exhausted(self, tried: int) -> bool:
        """Say whether try number `tried` was the last one."""
        return tried >= self.tries


DEFAULT_POLICY = RetryPolicy()
