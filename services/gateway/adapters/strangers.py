"""What comes without a valid key: how much of it, from where. By this replica alone, and only in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from services.gateway.domain.limits import SECOND, Rate, StrangerLimitReached, grant, whole_seconds

MAX_PLACES = 10_000
"""About 2 MB."""
_SITE_BITS = 64
"""Who has an IPv6 address has a whole network of them."""


class Strangers:
    """Counts what each address sent without a valid key. Addresses are forgotten, the oldest first, and never told."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        """`clock` counts seconds and never goes back."""
        self._rate = rate
        self._clock = clock
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def require(self, address: str) -> None:
        """Raise StrangerLimitReached where nothing is listened to any more."""
        self._look(_place(address), 0)

    def count(self, address: str) -> None:
        """Count one request; raises StrangerLimitReached."""
        self._look(_place(address), 1)

    def _look(self, place: str, needed: int) -> None:
        now = int(self._clock() * SECOND)
        given = grant(self._rate, self._arrivals.get(place, 0), now, needed)
        if needed:
            self._arrivals[place] = given.arrival
            self._arrivals.move_to_end(place)
            if len(self._arrivals) > MAX_PLACES:
                self._arrivals.popitem(last=False)
        if given.cells < needed or (not needed and given.wait):
            raise StrangerLimitReached(whole_seconds(given.wait))


def _place(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or int(parsed) >> _SITE_BITS)
    return address
