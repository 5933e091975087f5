"""How a subscription changes: by the operator's word, and by time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.analytics import domain
from services.analytics.domain import LIMITS, Plan, Plans, Quota, Standing, Subscription, WantedSubscription

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
PRO = Subscription(Plan.PRO, "active", None, start_date=NOW - timedelta(days=60), revision=3)
WANT = WantedSubscription


def change(known: Subscription | None, wanted: WantedSubscription) -> Subscription:
    return domain.change(known, wanted, now=NOW, period_end=END)


def in_force(subscription: Subscription, now: datetime) -> Plan:
    return domain.plan_in_force(subscription, default=Plan.ENTERPRISE, now=now)


def test_an_upgrade_counts_at_once() -> None:
    changed = change(PRO, WANT(Plan.ENTERPRISE))
    assert (changed.plan, changed.start_date, changed.revision) == (Plan.ENTERPRISE, NOW, 4)
    assert in_force(changed, NOW) is Plan.ENTERPRISE


def test_a_downgrade_counts_when_the_month_ends_or_at_once_if_that_is_wanted() -> None:
    later = change(PRO, WANT(Plan.FREE))
    assert (later.plan, later.next_plan, later.changes_at) == (Plan.PRO, Plan.FREE, END)
    assert in_force(later, END - timedelta(microseconds=1)) is Plan.PRO
    assert in_force(later, END) is Plan.FREE
    assert change(PRO, WANT(Plan.FREE, effective="now")).plan is Plan.FREE


def test_what_was_planned_is_dropped_by_staying() -> None:
    later = change(PRO, WANT(Plan.FREE))
    stays = change(later, WANT(Plan.PRO))
    assert (stays.next_plan, stays.changes_at, stays.start_date) == (None, None, PRO.start_date)


def test_a_cancellation_runs_to_the_end_of_the_month_or_ends_at_once() -> None:
    cancelled = change(PRO, WANT(Plan.PRO, status="cancelled"))
    assert (cancelled.status, cancelled.end_date) == ("cancelled", END)
    assert in_force(cancelled, END - timedelta(microseconds=1)) is Plan.PRO
    assert in_force(cancelled, END) is Plan.FREE
    ended = change(PRO, WANT(Plan.PRO, status="cancelled", effective="now"))
    assert (ended.status, ended.end_date) == ("expired", NOW)
    assert in_force(ended, NOW) is Plan.FREE


@pytest.mark.parametrize(
    "wanted",
    [
        WANT(Plan.ENTERPRISE),
        WANT(Plan.FREE),
        WANT(Plan.FREE, effective="now"),
        WANT(Plan.PRO, status="cancelled"),
        WANT(Plan.PRO, status="cancelled", effective="now"),
        WANT(Plan.PRO, end_date=END),
    ],
)
def test_asking_twice_changes_once(wanted: WantedSubscription) -> None:
    once = change(PRO, wanted)
    assert once.revision == 4
    assert change(once, wanted) == once


def test_time_ends_and_changes_what_is_due_once() -> None:
    cancelled = change(PRO, WANT(Plan.PRO, status="cancelled"))
    assert domain.as_of(cancelled, END - timedelta(seconds=1)) == cancelled
    expired = domain.as_of(cancelled, END)
    assert (expired.status, expired.revision) == ("expired", cancelled.revision + 1)
    assert domain.as_of(expired, END + timedelta(days=400)) == expired
    lowered = domain.as_of(change(PRO, WANT(Plan.FREE)), END)
    assert (lowered.plan, lowered.start_date, lowered.next_plan) == (Plan.FREE, END, None)


def test_what_expired_begins_anew() -> None:
    expired = replace(PRO, status="expired", end_date=NOW - timedelta(days=3))
    begun = change(expired, WANT(Plan.FREE))
    assert (begun.plan, begun.status, begun.start_date, begun.end_date) == (Plan.FREE, "active", NOW, None)
    assert change(None, WANT(Plan.PRO)).plan is Plan.PRO


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (WANT(Plan.PRO, end_date=NOW), "end_date"),
        (WANT(Plan.FREE, end_date=END), "end_date"),
        (WANT(Plan.FREE, status="cancelled"), "plan"),
        (WANT(Plan.PRO, status="cancelled", end_date=END), "end_date"),
    ],
)
def test_what_contradicts_itself_is_refused_by_field(wanted: WantedSubscription, field: str) -> None:
    with pytest.raises(domain.InvalidChange) as refused:
        change(PRO, wanted)
    assert refused.value.field == field


def test_settings_change_single_limits() -> None:
    plans = Plans.changed({"free": {"characters": 20, "custom_voices": None}})
    assert (plans[Plan.FREE].characters, plans[Plan.FREE].custom_voices) == (20, None)
    assert plans[Plan.FREE].audio_seconds == LIMITS[Plan.FREE].audio_seconds
    assert plans[Plan.PRO] == LIMITS[Plan.PRO]


def test_of_several_quotas_the_first_that_refuses_is_told() -> None:
    limits = LIMITS[Plan.FREE]
    seconds, stored = limits.audio_seconds or 0, limits.stored_bytes or 0
    fits = domain.decide_all(domain.speech(10), Standing(), limits, END)
    assert (fits.granted, fits.quota, fits.remaining) == (True, Quota.CHARACTERS, (limits.characters or 0) - 10)
    nearly = Standing({Quota.AUDIO_SECONDS: seconds - 1, Quota.STORED_BYTES: stored - 1})
    assert domain.decide_all(domain.speech(10), nearly, limits, END).granted
    for used, quota, resets_at in (
        ({Quota.AUDIO_SECONDS: seconds}, Quota.AUDIO_SECONDS, END),
        ({Quota.STORED_BYTES: stored}, Quota.STORED_BYTES, None),
        ({Quota.REQUESTS: limits.requests or 0}, Quota.REQUESTS, END),
    ):
        refused = domain.decide_all(domain.speech(10), Standing(used), limits, END)
        assert (refused.granted, refused.quota, refused.remaining, refused.resets_at) == (False, quota, 0, resets_at)


@pytest.mark.parametrize(
    ("used", "limit", "reached"),
    [(79, 100, []), (80, 100, [80]), (99, 100, [80]), (100, 100, [80, 100]), (5, None, []), (0, 0, [])],
)
def test_thresholds_are_reached_exactly(used: int, limit: int | None, reached: list[int]) -> None:
    assert domain.thresholds(used, limit) == reached
