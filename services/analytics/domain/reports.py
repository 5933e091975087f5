"""What use is told by: its dimensions, the quarter-hours in which it is added up, and what a report is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.analytics.domain.metering import Unit
from services.analytics.domain.whose import Use

GROUPS_MAX = 2
GROUPS_PAGE_DEFAULT = 1000
GROUPS_PAGE_MAX = 1000
UTC_ZONE = "UTC"


class Dimension(StrEnum):
    """By what use can be told."""

    DAY = "day"
    HOUR = "hour"
    VOICE = "voice"
    KEY = "key"
    USER = "user"
    FORMAT = "format"


class InvalidGroups(Exception):
    """Use cannot be told by these together; the message says why."""


class UnknownZone(Exception):
    """There is no time zone of this name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which use a report is about; None is any. Of a `unit`: only groups in which some of it was used."""

    voice_id: UUID | None = None
    key_id: UUID | None = None
    user_id: UUID | None = None
    format: str | None = None
    unit: Unit | None = None

    @property
    def is_all(self) -> bool:
        """Say whether nothing is left out."""
        return self == EVERYTHING


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """What a report is asked for: days of a time zone, both included and None for the default, by one or two groups.

    `after` is the position behind the group with which the page before ended.
    """

    first: date | None = None
    last: date | None = None
    zone: str = UTC_ZONE
    groups: tuple[Dimension, ...] = (Dimension.DAY,)
    wanted: Wanted = EVERYTHING
    after: tuple[str, ...] | None = None
    limit: int = GROUPS_PAGE_DEFAULT

    @property
    def is_daily(self) -> bool:
        """Say whether it is all of the use by days in UTC, which is added up already."""
        return self.groups == (Dimension.DAY,) and self.zone == UTC_ZONE and self.wanted.is_all and self.after is None


@dataclass(frozen=True, slots=True)
class Group:
    """Use that has `keys` in common, one for each group asked for, as text; empty where it is not known.

    Of an hour: its first moment in UTC; `offset` is then how far the zone's clocks are ahead of UTC in it.
    """

    keys: tuple[str, ...]
    use: Use
    offset: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Report:
    """A page of groups, the sums over all of them, also on other pages, and the days that they are of."""

    first: date
    last: date
    groups: Sequence[Group]
    total: Use
    has_more: bool


def quarter_of(moment: datetime) -> datetime:
    """Return when the quarter-hour in which `moment` lies began."""
    at = moment.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)


def groups_of(names: Sequence[str]) -> tuple[Dimension, ...]:
    """Return by what use is to be told; raises InvalidGroups."""
    known = ", ".join(Dimension)
    if unknown := [name for name in names if name not in set(Dimension)]:
        raise InvalidGroups(f"there is no group {unknown[0][:40]!r}; use one or two of: {known}")
    groups = tuple(Dimension(name) for name in names)
    if len(set(groups)) != len(groups) or not 1 <= len(groups) <= GROUPS_MAX:
        raise InvalidGroups(f"use one or two different ones of: {known}")
    if {Dimension.DAY, Dimension.HOUR} <= set(groups):
        raise InvalidGroups("an hour has its day already; use `hour` without `day`")
    return groups
