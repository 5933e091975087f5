"""Periods, plans and what they cover."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from services.analytics import domain
from services.analytics.domain import DayOfUse, Plan

RESETS = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "period", "end"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), date(2026, 12, 1), datetime(2027, 1, 1, tzinfo=UTC)),
        (
            datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=5))),
            date(2026, 2, 1),
            datetime(2026, 3, 1, tzinfo=UTC),
        ),
    ],
)
def test_a_period_is_a_calendar_month_in_utc(moment: datetime, period: date, end: datetime) -> None:
    assert domain.period_of(moment) == period
    assert domain.end_of(period) == end


@pytest.mark.parametrize(
    ("asked", "used", "reserved", "granted", "remaining"),
    [(10, 0, 0, True, 90), (100, 0, 0, True, 0), (101, 0, 0, False, 100), (1, 60, 40, False, 0), (40, 60, 0, True, 0)],
)
def test_what_fits_is_granted_to_the_character(
    asked: int, used: int, reserved: int, granted: bool, remaining: int
) -> None:
    decision = domain.decide(asked=asked, used=used, reserved=reserved, limit=100, resets_at=RESETS)
    assert (decision.granted, decision.remaining) == (granted, remaining)


def test_without_a_limit_everything_is_granted() -> None:
    assert Plan.ENTERPRISE.characters is None
    assert domain.decide(asked=10**9, used=10**9, reserved=0, limit=None, resets_at=RESETS).granted


def test_the_range_defaults_to_thirty_days_and_is_bounded() -> None:
    today = date(2026, 3, 31)
    assert domain.usage_range(None, None, today) == (date(2026, 3, 2), today)
    assert domain.usage_range(date(2026, 3, 31), None, today) == (today, today)
    with pytest.raises(domain.InvalidRange):
        domain.usage_range(date(2026, 4, 1), None, today)
    with pytest.raises(domain.InvalidRange):
        domain.usage_range(date(2025, 3, 30), today, today)
    assert domain.usage_range(date(2025, 4, 1), date(2026, 4, 1), today)


def test_days_add_up() -> None:
    days = [DayOfUse(date(2026, 1, day), Decimal(day), Decimal("0.001"), 1) for day in (1, 2, 3)]
    assert domain.total(days) == (Decimal(6), Decimal("0.003"), 3)
