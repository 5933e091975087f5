"""How long a request would wait, and whether that is too long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.generation.domain.errors import Overloaded
from services.generation.domain.requests import Mode
from services.generation.domain.speech import WHOLE_MAX_LENGTH

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
class Pace:
    """How many seconds a worker takes for a piece of work, whatever its length, and for each character in it."""

    piece_seconds: float
    character_seconds: float

    def seconds(self, pieces: float, characters: float) -> float:
        """Return how long so much takes."""
        return pieces * self.piece_seconds + characters * self.character_seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """An amount of work: pieces, and the characters in all of them."""

    pieces: int = 0
    characters: int = 0

    def and_text(self, characters: int) -> Waiting:
        """Return the amount with a text of so many characters, in as few pieces as it can be."""
        return Waiting(self.pieces + math.ceil(characters / WHOLE_MAX_LENGTH), self.characters + characters)


def together(paces: Sequence[Pace]) -> Pace:
    """Return the pace of workers that are all at work; a character takes each of them some time."""
    pieces = [pace.piece_seconds for pace in paces]
    return Pace(
        piece_seconds=1 / sum(1 / one for one in pieces) if all(pieces) else 0.0,
        character_seconds=1 / sum(1 / pace.character_seconds for pace in paces),
    )


@dataclass(frozen=True, slots=True)
class Load:
    """What waits, by organisation and priority (0 comes before 1), and the pace of all workers together.

    The pace is None as long as no worker was seen: nobody knows how long anything takes then, and it counts as 0.
    """

    waiting: Mapping[tuple[UUID, int], Waiting]
    pace: Pace | None

    def seconds(self, amount: Waiting) -> float:
        """Return how long an amount of work takes."""
        return self.pace.seconds(amount.pieces, amount.characters) if self.pace else 0.0

    def waiting_seconds(self, org_id: UUID, mode: Mode) -> float:
        """Predict how long the organisation's work in this mode takes from now on.

        Organisations share the workers evenly, as far as they have work: others' work before it takes no more than it
        takes itself. Interactive work comes before all jobs.
        """
        priority = _PRIORITIES[mode]
        own = self.seconds(self.waiting.get((org_id, priority), Waiting()))
        ahead = 0.0
        for (owner, rank), amount in self.waiting.items():
            if rank <= priority and (owner, rank) != (org_id, priority):
                others = self.seconds(amount)
                ahead += min(others, own) if rank == priority else others
        return own + ahead


def admit(load: Load, limits: Limits, org_id: UUID, mode: Mode, characters: int) -> Load:
    """Return the load with another request in it; raises Overloaded when its organisation has too much waiting."""
    seconds = load.waiting_seconds(org_id, mode)
    limit = limits.seconds(mode)
    if seconds > limit:
        after = min(RETRY_MAX_SECONDS, max(1, math.ceil(seconds - limit)))
        raise Overloaded(waiting_seconds=seconds, retry_after_seconds=after)
    key = (org_id, _PRIORITIES[mode])
    more = load.waiting.get(key, Waiting()).and_text(characters)
    return Load({**load.waiting, key: more}, load.pace)
