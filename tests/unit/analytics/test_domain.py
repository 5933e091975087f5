"""Periods, plans and what they cover."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from services.analytics import domain
from services.analytics.domain import DayOfUse, Plan, Reservation, Subscription

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
    days = [DayOfUse(date(2026, 1, day), Decimal(day), Decimal("0.001"), 1, Decimal(10 * day)) for day in (1, 2, 3)]
    month = date(2026, 1, 1)
    assert domain.total(days, month) == DayOfUse(month, Decimal(6), Decimal("0.003"), 3, Decimal(60))
    assert domain.total([], month) == DayOfUse(month, Decimal(0), Decimal(0), 0, Decimal(0))


NOW = datetime(2026, 1, 15, tzinfo=UTC)
SOON, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("status", "end", "plan"),
    [
        ("active", None, Plan.PRO),
        ("active", SOON, Plan.PRO),
        ("active", NOW, Plan.FREE),
        ("cancelled", None, Plan.FREE),
        ("cancelled", SOON, Plan.PRO),
        ("cancelled", EARLIER, Plan.FREE),
        ("expired", None, Plan.FREE),
        ("expired", SOON, Plan.FREE),
    ],
)
def test_a_subscription_counts_until_it_ends(status: str, end: datetime | None, plan: Plan) -> None:
    subscription = Subscription(Plan.PRO, status, end)
    assert domain.plan_in_force(subscription, default=Plan.ENTERPRISE, now=NOW) is plan


def test_who_never_subscribed_has_the_default_plan() -> None:
    assert domain.plan_in_force(None, default=Plan.ENTERPRISE, now=NOW) is Plan.ENTERPRISE


@pytest.mark.parametrize(
    ("status", "expires", "answer"),
    [
        ("held", SOON, True),
        ("held", NOW, None),
        ("settled", EARLIER, True),
        ("released", SOON, False),
        ("released", EARLIER, False),
    ],
)
def test_a_reservation_is_decided_until_it_expires(status: str, expires: datetime, answer: bool | None) -> None:
    assert Reservation(status, expires).answer(NOW) is answer
    asked_again = None if status == "released" else answer
    assert Reservation(status, expires).answer(NOW, again=True) is asked_again


def test_the_calendar_has_a_first_and_a_last_day() -> None:
    assert domain.usage_range(None, date(1, 1, 5), NOW.date()) == (date.min, date(1, 1, 5))
    assert domain.usage_range(None, date.max, NOW.date())[1] == date.max
