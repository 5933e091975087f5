"""What may be told of groups of visitors without telling of anybody in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

K = 5
"""The least number of visitors in a group that is told."""
GROUPS_TOLD_MAX = 100
SUMMARY_DAYS_MAX = 92


@dataclass(frozen=True, slots=True)
class Count:
    """Events, and how many visitors they came from."""

    events: int
    visitors: int


@dataclass(frozen=True, slots=True)
class Split:
    """Which groups are told by themselves, largest first, and which only together."""

    told: Sequence[str]
    merged: Sequence[str]


def split(groups: Mapping[str, int]) -> Split:
    """Split groups, given with their numbers of visitors, into those of K or more and those that are too small."""
    order = sorted(groups, key=lambda name: (-groups[name], name))
    told = [name for name in order if groups[name] >= K][:GROUPS_TOLD_MAX]
    return Split(told, order[len(told) :])


def widened(parts: Split) -> Split:
    """Return the split with the smallest group that was told among those that are not.

    What is told together is then of K visitors, too: otherwise whoever knows the whole would know it by subtraction.
    """
    return Split(parts.told[:-1], [*parts.told[-1:], *parts.merged])


@dataclass(frozen=True, slots=True)
class GroupOfDay:
    """What is told of one group on one day; `is_other` for all that are too small to be told by themselves."""

    day: date
    group: str
    count: Count
    is_other: bool = False


FUNNEL_STEPS = ("visited", "signed_up", "voice_created", "generated", "returned")


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many took each step on a day, in the order of FUNNEL_STEPS."""

    day: date
    counts: tuple[int, ...]

    @property
    def told(self) -> tuple[int | None, ...]:
        """The counts that say nothing of anybody: none, or at least K; None for the others."""
        return tuple(None if 0 < count < K else count for count in self.counts)
