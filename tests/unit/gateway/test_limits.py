"""Rates: what is given, when there is more, and what callers are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.adapters import strangers as module
from services.gateway.adapters.strangers import Strangers
from services.gateway.domain.limits import (
    SECOND,
    PlanLimits,
    Rate,
    Standing,
    StrangerLimitReached,
    grant,
    standing_field,
    whole_seconds,
)

RATES = st.builds(Rate, requests=st.integers(1, 10_000), seconds=st.integers(1, 3600))
ASKED = st.lists(st.tuples(st.integers(0, 5 * SECOND), st.integers(0, 50), st.integers(0, 100)), max_size=60)


@given(RATES, ASKED)
def test_in_no_stretch_of_time_is_more_given_than_the_rate_allows(
    rate: Rate, asked: list[tuple[int, int, int]]
) -> None:
    now = arrival = 0
    given_at: list[tuple[int, int]] = []
    for pause, needed, more in asked:
        now += pause
        got = grant(rate, arrival, now, needed, more)
        arrival = got.arrival
        given_at.append((now, got.cells))
    for first, (begin, _) in enumerate(given_at):
        total = 0
        for moment, cells in given_at[first:]:
            total += cells
            assert total <= rate.requests + (moment - begin) // rate.interval + 1


@given(RATES)
def test_a_full_bucket_gives_exactly_its_requests(rate: Rate) -> None:
    now = 10**18
    got = grant(rate, 0, now, rate.requests + 1)
    assert (got.cells, got.available) == (rate.requests, 0)
    assert grant(rate, got.arrival, now, 1).cells == 0
    assert grant(rate, got.arrival, now + got.wait - 1, 1).cells == 0
    assert grant(rate, got.arrival, now + got.wait, 1).cells == 1


@given(RATES, st.integers(0, 10_000), st.integers(0, 10_000))
def test_supplies_shrink_with_what_is_left(rate: Rate, taken: int, more: int) -> None:
    now = 10**18
    arrival = grant(rate, 0, now, taken).arrival
    got = grant(rate, arrival, now, 1, more)
    left = rate.requests - min(taken, rate.requests)
    assert got.cells == min(1, left) + min(more, max(0, left - 1) // 4)


def test_a_clock_that_was_set_back_locks_nobody_out() -> None:
    rate = Rate(10)
    got = grant(rate, arrival=10**18, now=5, needed=1)
    assert (got.cells, got.wait) == (0, rate.interval)


def test_fields_are_structured_as_the_draft_says() -> None:
    limits = PlanLimits(Rate(300), Rate(600, 30), 10)
    assert limits.policy_field == (
        b'"key";q=300;w=60, "organization";q=600;w=30, "concurrency";q=10;qu="concurrent-requests"'
    )
    assert standing_field([Standing("key", 7, 2), Standing("concurrency", 1)]) == b'"key";r=7;t=2, "concurrency";r=1'
    assert [whole_seconds(wait) for wait in (0, 1, SECOND, SECOND + 1)] == [1, 1, 1, 2]


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_that_tries_many_keys_waits() -> None:
    clock = _Clock()
    strangers = Strangers(Rate(3), clock)
    for _ in range(3):
        strangers.require("192.0.2.1")
        strangers.count("192.0.2.1")
    with pytest.raises(StrangerLimitReached) as refused:
        strangers.require("192.0.2.1")
    assert refused.value.retry_after == 20
    with pytest.raises(StrangerLimitReached):
        strangers.count("::ffff:192.0.2.1")
    strangers.count("192.0.2.2")
    clock.now += 20
    strangers.count("192.0.2.1")


def test_a_network_of_addresses_counts_as_one() -> None:
    strangers = Strangers(Rate(2), _Clock())
    strangers.count("2001:db8::1")
    strangers.count("2001:db8::2")
    with pytest.raises(StrangerLimitReached):
        strangers.count("2001:db8::ffff:3")
    strangers.count("2001:db8:0:1::1")
    strangers.count("")


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PLACES", 10)
    strangers = Strangers(Rate(1), _Clock())
    for number in range(20):
        strangers.count(f"192.0.2.{number}")
    strangers.count("192.0.2.0")
    with pytest.raises(StrangerLimitReached):
        strangers.count("192.0.2.19")
