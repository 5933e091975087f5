"""Services that do not answer are left alone for a while, so that who asks is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

FAILURES = 5
"""After so many failures in a row, with no answer among them."""
PROBE_SECONDS = 1.0
"""How often one request is let through then, to see."""


class Circuit:
    """What is known of one service. Open, it lets one request a second through; any answer closes it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` counts seconds and never goes back."""
        self._clock = clock
        self._failures = 0
        self._probe_at = 0.0

    def lets_through(self) -> bool:
        """Say whether the service should be asked; while it is away, yes for one in PROBE_SECONDS."""
        if self._failures < FAILURES:
            return True
        now = self._clock()
        if now < self._probe_at:
            return False
        self._probe_at = now + PROBE_SECONDS
        return True

    def failed(self) -> None:
        """Note that it could not be reached, or did not answer in time."""
        self._failures += 1
        if self._failures == FAILURES:
            self._probe_at = self._clock() + PROBE_SECONDS

    def answered(self) -> None:
        """Note that it answered, whatever it said."""
        self._failures = 0


def circuits(services: Iterable[str], clock: Callable[[], float]) -> dict[str, Circuit]:
    """Return one for each service."""
    return {service: Circuit(clock) for service in services}
