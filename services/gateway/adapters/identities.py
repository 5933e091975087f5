"""Who is asking, as signed for each service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from libs.web import Caller
from libs.web.identity import LIFETIME_SECONDS, sign

REUSED_SECONDS = LIFETIME_SECONDS / 3
"""A signature costs 18 µs. For this long it serves again; the service then has the rest of its life to look at it."""
MAX_IDENTITIES = 10_000
"""About 5 MB."""


class Identities:
    """Signs callers' identities, and remembers for a while what it signed."""

    def __init__(
        self, keys: Mapping[str, bytes], clock: Callable[[], datetime], stopwatch: Callable[[], float]
    ) -> None:
        """`keys` has the key of each service.

        `clock` dates what is signed, and is the services' own; `stopwatch` counts seconds and never goes back.
        """
        self._keys = dict(keys)
        self._stopwatch = stopwatch
        self._clock = clock
        self._signed: dict[tuple[UUID, str], tuple[str, float]] = {}

    def of(self, caller: Caller, service: str) -> str:
        """Return a token that tells `service` who is asking; it is valid for at least 40 s more."""
        now = self._stopwatch()
        signed = self._signed.get((caller.key_id, service))
        if signed is not None and now < signed[1]:
            return signed[0]
        if len(self._signed) >= MAX_IDENTITIES:
            self._signed.clear()
        token = sign(caller, service, self._keys[service], self._clock)
        self._signed[caller.key_id, service] = (token, now + REUSED_SECONDS)
        return token
