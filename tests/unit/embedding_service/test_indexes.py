"""Which index is searched, which are written to, and which have had their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.embedding.domain import Index, expired, searched, written

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD = Index(1, "old", 384, was_active=True, idle_since=NOW - timedelta(hours=5))
LEFT = Index(2, "left", 384, was_active=True, idle_since=NOW - timedelta(hours=2))
GIVEN_UP = Index(3, "given up", 384, idle_since=NOW - timedelta(hours=1))
ACTIVE = Index(4, "active", 768, is_active=True, was_active=True)
WANTED = Index(5, "active", 256, is_wanted=True)
ALL = (OLD, LEFT, GIVEN_UP, WANTED, ACTIVE)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({ACTIVE.model, WANTED.model, LEFT.model}, ACTIVE),
        ({OLD.model, LEFT.model, GIVEN_UP.model}, LEFT),
        ({WANTED.model}, None),
        ({GIVEN_UP.model}, None),
        ({("active", 384)}, None),
    ],
)
def test_the_active_index_is_searched_or_the_one_that_was_left_last(
    known: set[tuple[str, int]], expected: Index | None
) -> None:
    """Never one that was not whole."""
    assert searched(ALL, known) == expected


def test_what_is_new_goes_into_the_active_index_first_and_into_the_wanted() -> None:
    assert written(ALL) == [ACTIVE, WANTED]


def test_what_was_left_is_kept_for_its_time() -> None:
    assert expired(ALL, NOW, timedelta(hours=2)) == [OLD, LEFT]
    assert expired(ALL, NOW, timedelta(0)) == [OLD, LEFT, GIVEN_UP]
    assert expired(ALL, NOW - timedelta(seconds=1), timedelta(hours=2)) == [OLD]
