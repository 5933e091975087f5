"""How long a request would wait, and whether that is too long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from services.generation.domain.errors import Overloaded
from services.generation.domain.requests import Mode

_PRIORITIES: dict[Mode, int] = {"interactive": 0, "job": 1}
RETRY_MAX_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """How many seconds of speaking an organisation may have waiting, for those who wait and for jobs."""

    interactive_seconds: float
    job_seconds: float

    def seconds(self, mode: Mode) -> float:
        """Return the limit for a mode."""
        return self.job_seconds if mode == "job" else self.interactive_seconds


@dataclass(frozen=True, slots=True)
class Load:
    """What waits: characters by organisation and priority (0 comes before 1), and characters spoken in a second."""

    characters: Mapping[tuple[UUID, int], int]
    pace: float

    def waiting_seconds(self, org_id: UUID, mode: Mode) -> float:
        """Predict how long the organisation's work in this mode takes from now on.

        Organisations share the pace evenly, as far as they have work: of others' work no more comes before it than it
        has itself. Interactive work comes before all jobs.
        """
        if self.pace <= 0:
            return 0.0
        priority = _PRIORITIES[mode]
        own = self.characters.get((org_id, priority), 0)
        ahead = sum(
            min(count, own) if rank == priority else count
            for (owner, rank), count in self.characters.items()
            if rank <= priority and (owner, rank) != (org_id, priority)
        )
        return (own + ahead) / self.pace


def admit(load: Load, limits: Limits, org_id: UUID, mode: Mode, characters: int) -> Load:
    """Return the load with another request in it; raises Overloaded when its organisation has too much waiting."""
    waiting = load.waiting_seconds(org_id, mode)
    limit = limits.seconds(mode)
    if waiting > limit:
        after = min(RETRY_MAX_SECONDS, max(1, math.ceil(waiting - limit)))
        raise Overloaded(waiting_seconds=waiting, retry_after_seconds=after)
    key = (org_id, _PRIORITIES[mode])
    return Load({**load.characters, key: load.characters.get(key, 0) + characters}, load.pace)
