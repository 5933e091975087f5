"""The periods for which plans cover something."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


def period_of(moment: datetime) -> date:
    """Return the first day of the calendar month (UTC) in which `moment` lies."""
    return moment.astimezone(UTC).date().replace(day=1)


def end_of(period: date) -> datetime:
    """Return when the period that begins on `period` ends: the start of the next month."""
    following = (period.replace(day=28) + timedelta(days=4)).replace(day=1)
    return datetime(following.year, following.month, following.day, tzinfo=UTC)


def oldest_month(today: date, months: int) -> date:
    """Return the first day of the oldest month of which something is kept: so many whole months before this one."""
    number = today.year * 12 + today.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
