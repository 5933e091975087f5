"""Tokens of visitors, and browsers that ask not to be tracked."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from services.gateway.api.product_events import ProductEvents
from services.gateway.domain.visitors import Visitors, objects_to_tracking

DAY = date(2026, 1, 1)
VISITORS = Visitors(b"secret")
TOKEN = VISITORS.token("203.0.113.7", "Browser/1.0", DAY)


def test_a_token_is_the_same_for_whoever_is_the_same() -> None:
    assert Visitors(b"secret").token("203.0.113.7", "Browser/1.0", DAY) == TOKEN
    assert len(TOKEN) == 16


@pytest.mark.parametrize(
    ("address", "browser", "day", "secret"),
    [
        ("203.0.113.8", "Browser/1.0", DAY, b"secret"),
        ("203.0.113.7", "Browser/2.0", DAY, b"secret"),
        ("203.0.113.7", "Browser/1.0", date(2026, 1, 2), b"secret"),
        ("203.0.113.7", "Browser/1.0", DAY, b"other"),
    ],
)
def test_a_token_is_another_for_everybody_else(address: str, browser: str, day: date, secret: bytes) -> None:
    assert Visitors(secret).token(address, browser, day) != TOKEN


def test_of_ipv6_the_network_counts() -> None:
    first, second = (VISITORS.token(f"2001:db8:1:2::{host}", "x", DAY) for host in ("1", "ffff"))
    assert first == second != VISITORS.token("2001:db8:1:3::1", "x", DAY)
    assert VISITORS.token("::ffff:203.0.113.7", "Browser/1.0", DAY) == TOKEN


@pytest.mark.parametrize(
    ("headers", "objects"),
    [
        ({"dnt": ["1"]}, True),
        ({"sec-gpc": ["1"]}, True),
        ({"dnt": ["0"], "sec-gpc": ["1"]}, True),
        ({"dnt": ["0", "1"]}, True),
        ({"dnt": ["0"]}, False),
        ({}, False),
    ],
)
def test_who_objects(headers: dict[str, list[str]], objects: bool) -> None:
    assert objects_to_tracking(headers) is objects


@pytest.mark.parametrize(
    "value", ["pricing", "en-US", "Getting started", "1920x1080", "v 12", "", True, None, 12, -3.5, "docs/api"]
)
def test_words_numbers_and_truths_are_properties(value: object) -> None:
    ProductEvents.model_validate({"events": [{"name": "visited", "properties": {"page": value}}]})


@pytest.mark.parametrize(
    "value",
    [
        "ada@example.org",
        "203.0.113.7",
        "2001:db8::1",
        "01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61",
        "+49 30 1234567",
        491_701_234_567,
        "x" * 41,
        "Ünïcode",
        ["a"],
        {"a": 1},
        float("nan"),
    ],
)
def test_what_may_be_somebodys_is_no_property(value: object) -> None:
    with pytest.raises(ValidationError):
        ProductEvents.model_validate({"events": [{"name": "visited", "properties": {"page": value}}]})


@pytest.mark.parametrize(
    "events",
    [
        [],
        [{"name": "visited"}] * 101,
        [{"name": "signed_up"}],
        [{"name": "Visited"}],
        [{"name": "visited2"}],
        [{"name": "visited", "user": "ada"}],
        [{"name": "visited", "properties": {"p" * (number + 1): 1 for number in range(11)}}],
    ],
)
def test_what_is_no_event(events: object) -> None:
    with pytest.raises(ValidationError):
        ProductEvents.model_validate({"events": events})
