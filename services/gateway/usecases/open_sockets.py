"""How many WebSockets an organisation has open: each costs memory, also while nothing is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from services.gateway.domain.access import Credential
from services.gateway.domain.organizations import Plan

SOCKETS: Mapping[Plan, int] = {"free": 20, "pro": 200, "enterprise": 5_000}
"""How many of an organisation may be open at each replica at the same time."""


class TooManySockets(Exception):
    """The organisation has as many WebSockets open as its plan allows."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} WebSockets")
        self.limit = limit


class OpenSockets:
    """The WebSockets of this replica whose keys are known."""

    def __init__(self) -> None:
        self._open: Counter[UUID] = Counter()

    @contextmanager
    def counted(self, credential: Credential) -> Iterator[None]:
        """Count one within the block. Raises TooManySockets."""
        org_id, limit = credential.org_id, SOCKETS[credential.plan]
        if self._open[org_id] >= limit:
            raise TooManySockets(limit)
        self._open[org_id] += 1
        try:
            yield
        finally:
            self._open[org_id] -= 1
            if not self._open[org_id]:
                del self._open[org_id]
