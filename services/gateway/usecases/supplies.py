"""What one replica has of the shared limits at the moment: supplies of cells, and places for requests in flight."""

from __future__ import annotations

from uuid import UUID

from services.gateway.domain.limits import SECOND, Rate, grant
from services.gateway.store.limits import Share, Wanted

SUPPLY_SECONDS = 1.0
"""How long cells that were taken may wait for their requests; then they go back."""
AHEAD_SECONDS = 0.25
"""A busy bucket is asked for what it will need for so long: about four round trips a second."""
MOST_AHEAD = 2000
SLOT_SECONDS = 3.0
"""How long places stay those of a replica that has gone; one that lives says so every second."""
REFUSED_SECONDS = 0.5
"""For how long an empty bucket is not asked again, at most: what other replicas do not use comes back."""
SLOTS_REFUSED_SECONDS = 0.1
"""For how long an organisation that has no place left is not asked for one again."""


class Slots:
    """An organisation's places for requests in flight. Times are this machine's monotonic seconds."""

    __slots__ = ("_held_until", "_is_short", "_peak", "held", "in_flight", "limit", "others", "refused_until")

    def __init__(self, limit: int) -> None:
        """`limit` is how many requests may be in flight, over all replicas."""
        self.limit = limit
        self.in_flight = self.held = self.others = 0
        self.refused_until = 0.0
        self._peak = 0
        self._is_short = False
        self._held_until = 0.0

    @property
    def free(self) -> int:
        """How many more requests may be in flight, as far as is known here."""
        return max(0, self.limit - self.in_flight - self.others)

    @property
    def are_held(self) -> bool:
        """Whether they must be confirmed or given back."""
        return self.held > 0 or self.in_flight > 0

    @property
    def are_taken(self) -> bool:
        """Whether fewer were got than needed, and those are in use."""
        return self._is_short and self.in_flight >= self.held

    def has_one(self, now: float) -> bool:
        """Say whether one more request may be in flight without asking anybody."""
        return self.in_flight < self.held and now < self._held_until

    def enter(self) -> None:
        """Let a request in."""
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def leave(self) -> None:
        """Let a request's place be another one's."""
        self.in_flight -= 1

    def wanted(self, waiting: int) -> tuple[int, int]:
        """Return how many are needed, and how many more would be used, going by what was in flight lately."""
        needed = self.in_flight + waiting
        lately, self._peak = self._peak, self.in_flight
        return needed, max(0, lately - needed) + needed // 2

    def supply(self, needed: int, share: Share, now: float) -> None:
        """Keep what was got where `needed` were wanted."""
        self.held, self.others = share.slots, share.others
        self._held_until = now + SLOT_SECONDS - 1
        self._is_short = share.slots < needed
        self.refused_until = now + SLOTS_REFUSED_SECONDS if self._is_short else 0.0


class Bucket:
    """Cells of one key, or those and the places of an organisation. Times are this machine's monotonic seconds."""

    __slots__ = (
        "_answered_at",
        "_arrival",
        "_available",
        "_supplied_at",
        "_taken",
        "cells",
        "id",
        "next_at",
        "rate",
        "refused_until",
        "slots",
        "used_at",
        "waiting",
    )

    def __init__(self, bucket_id: UUID, rate: Rate, now: float, slots: Slots | None = None) -> None:
        """Nothing is known of it yet; `now` is when it was first used."""
        self.id = bucket_id
        self.rate = rate
        self.slots = slots
        self.cells = 0
        self.waiting = 0
        self.next_at = 0.0
        """When there is a cell again, should nobody give one back."""
        self.refused_until = 0.0
        self.used_at = now
        self._available = rate.requests
        self._arrival = 0
        self._answered_at = self._supplied_at = now
        self._taken = 0

    def has_cell(self, now: float) -> bool:
        """Say whether a request may be let in without asking anybody."""
        return self.cells > 0 and now - self._supplied_at < SUPPLY_SECONDS

    @property
    def is_empty(self) -> bool:
        """Whether there is none here, and was none left after the last answer."""
        return not self.cells and not self._available

    def take(self, now: float) -> None:
        """Let a request in."""
        self.cells -= 1
        self._taken += 1
        self.used_at = now

    def remaining(self, now: float) -> int:
        """Return how many requests may come now, as far as is known here."""
        regained = int((now - self._answered_at) * self.rate.requests / self.rate.seconds)
        return min(self.rate.requests, self.cells + self._available + regained)

    def needs_care(self, now: float) -> bool:
        """Say whether it has cells that have waited for too long, or places."""
        return (self.cells > 0 and not self.has_cell(now)) or (self.slots is not None and self.slots.are_held)

    def is_idle_since(self, moment: float) -> bool:
        """Say whether nobody used it after `moment`, nor uses it now."""
        return self.used_at < moment and not self.waiting and not (self.slots is not None and self.slots.are_held)

    def wants(self, now: float) -> Wanted:
        """Return what to ask for; what has waited for too long goes back, and is used by nobody meanwhile."""
        returned = 0 if self.has_cell(now) else self.cells
        self.cells -= returned
        needed = max(0, self.waiting - self.cells)
        ahead = int(self._taken / max(now - self._supplied_at, 0.001) * AHEAD_SECONDS) if needed else 0
        slots_needed, slots_more = self.slots.wanted(self.waiting) if self.slots is not None else (0, 0)
        return Wanted(
            self.id,
            self.rate,
            returned=returned,
            needed=needed,
            more=min(ahead, MOST_AHEAD),
            slot_limit=self.slots.limit if self.slots is not None else 0,
            slots_needed=slots_needed,
            slots_more=slots_more,
        )

    def gives_up(self) -> Wanted:
        """Return what gives all of it back."""
        returned, self.cells = self.cells, 0
        limit = self.slots.limit if self.slots is not None else 0
        return Wanted(self.id, self.rate, returned=returned, slot_limit=limit)

    def supply(self, wanted: Wanted, share: Share, now: float) -> None:
        """Keep what was got of what was wanted."""
        self.cells += share.cells
        self._available = share.available
        self._answered_at = now
        if share.cells:
            self._supplied_at = now
            self._taken = 0
        self.next_at = now + share.wait / SECOND if share.wait else 0.0
        self.refused_until = min(self.next_at, now + REFUSED_SECONDS)
        self._arrival = int(now * SECOND) + self.rate.tolerance - share.available * self.rate.interval
        if self.slots is not None:
            self.slots.supply(wanted.slots_needed, share, now)

    def supply_alone(self, wanted: Wanted, now: float) -> None:
        """Go on from what was last known, as if there were no other replica: the shared place cannot be asked."""
        alone = grant(self.rate, self._arrival, int(now * SECOND), wanted.needed)
        slots = min(wanted.slots_needed, wanted.slot_limit)
        self.supply(wanted, Share(self.id, alone.cells, alone.available, alone.wait, slots, 0), now)
