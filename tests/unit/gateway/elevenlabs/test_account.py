from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.gateway.domain.elevenlabs.account import UNLIMITED, character_stats, day_of, subscription_of
from services.gateway.domain.elevenlabs.history import LAST_SECOND, moment
from services.gateway.domain.failures import InvalidField

DAYS: list[dict[str, Any]] = [  # Any: JSON
    {"date": "2026-01-30", "characters": 10, "audio_seconds": 60.0, "generations": 1},
    {"date": "2026-02-01", "characters": 5, "audio_seconds": 30.0, "generations": 2},
    {"date": "2026-02-02", "characters": 1, "audio_seconds": 3.0, "generations": 1},
]
FIRST, LAST = date(2026, 1, 29), date(2026, 2, 3)  # a Thursday and a Tuesday
DAY_MS = 86_400_000
BEGIN_MS = 1_769_644_800_000


def test_every_day_has_its_value() -> None:
    stats = character_stats(DAYS, FIRST, LAST, "day", "credits")
    assert stats["time"] == [BEGIN_MS + number * DAY_MS for number in range(6)]
    assert stats["usage"] == {"All": [0, 10, 0, 5, 1, 0]}


def test_weeks_begin_on_monday_and_no_time_lies_before_what_was_asked_for() -> None:
    stats = character_stats(DAYS, FIRST, LAST, "week", "request_count")
    assert stats["time"] == [BEGIN_MS, BEGIN_MS + 4 * DAY_MS]
    assert stats["usage"] == {"All": [3, 1]}
    assert character_stats(DAYS, FIRST, LAST, "month", "minutes_used")["usage"] == {"All": [1.0, 0.55]}
    assert character_stats(DAYS, FIRST, LAST, "cumulative", "tts_characters")["usage"] == {"All": [16]}


def test_times_are_milliseconds_where_theirs_are_and_seconds_where_theirs_are() -> None:
    assert day_of("start_unix", BEGIN_MS) == FIRST
    assert moment("date_after_unix", BEGIN_MS // 1000) == "2026-01-29T00:00:00+00:00"
    for wrong in (-1, 10**18):
        with pytest.raises(InvalidField, match="start_unix"):
            day_of("start_unix", wrong)
        with pytest.raises(InvalidField, match="date_after_unix"):
            moment("date_after_unix", wrong)
    assert moment("date_after_unix", LAST_SECOND).startswith("9999-12-31")


@pytest.mark.parametrize(("limit", "shown"), [(10_000, 10_000), (None, UNLIMITED)])
def test_a_plan_without_a_limit_shows_a_number(limit: int | None, shown: int) -> None:
    period = {"characters_used": 7, "characters_limit": limit, "resets_at": "2026-02-01T00:00:00Z"}
    plan = subscription_of({"plan": "pro", "period": period}, 2)
    assert (plan["character_count"], plan["character_limit"], plan["voice_slots_used"]) == (7, shown, 2)
    assert plan["next_character_count_reset_unix"] == 1_769_904_000
