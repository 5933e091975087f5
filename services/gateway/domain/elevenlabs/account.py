"""An organisation's plan and use as ElevenLabs' clients see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from services.gateway.domain.failures import InvalidField

UNLIMITED = 10**12
"""What stands where their clients expect a number and there is no limit."""
Interval = Literal["day", "week", "month", "cumulative"]
Metric = Literal["credits", "tts_characters", "minutes_used", "request_count"]
BREAKDOWNS: Mapping[str, tuple[str, str]] = {
    "voice": ("voice", "voice_id"),
    "user": ("user", "user_id"),
    "api_keys": ("key", "key_id"),
}
"""How use can be broken down: what the usage service groups by then, and the field that says which group it is."""
_LAST_DAY_MS = 253_402_300_799_000
_MS = 1000


def subscription_of(usage: Mapping[str, Any], custom_voices: int) -> dict[str, Any]:  # Any: JSON
    """Return the plan in their words; `usage` is what the usage service says of the current month."""
    period = usage["period"]
    limit: int | None = period["characters_limit"]
    return {
        "tier": usage["plan"],
        "character_count": period["characters_used"],
        "character_limit": UNLIMITED if limit is None else limit,
        "max_character_limit_extension": None,
        "max_credit_limit_extension": "unlimited" if limit is None else 0,
        "can_extend_character_limit": False,
        "allowed_to_extend_character_limit": False,
        "next_character_count_reset_unix": int(datetime.fromisoformat(period["resets_at"]).timestamp()),
        "voice_slots_used": custom_voices,
        "professional_voice_slots_used": 0,
        "professional_voice_slots_used_in_workspace": 0,
        "voice_limit": UNLIMITED,
        "max_voice_add_edits": None,
        "voice_add_edit_counter": 0,
        "professional_voice_limit": 0,
        "can_extend_voice_limit": False,
        "can_use_instant_voice_cloning": True,
        "can_use_professional_voice_cloning": False,
        "currency": None,
        "current_overage": {"amount": "0", "currency": "usd"},
        "status": "active",
        "billing_period": None,
        "character_refresh_period": "monthly_period",
        "next_invoice": None,
        "open_invoices": [],
        "has_open_invoices": False,
    }


def user_of(org_id: UUID, user_id: UUID | None, subscription: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return who is asking in their words; a key of the organisation's own has no user, and is the organisation."""
    return {
        "user_id": str(user_id or org_id),
        "workspace_id": str(org_id),
        "subscription": subscription,
        "is_new_user": False,
        "xi_api_key": None,
        "is_api_key_hashed": True,
        "can_use_delayed_payment_methods": False,
        "is_onboarding_completed": True,
        "is_onboarding_checklist_completed": True,
        "first_name": None,
        "created_at": 0,
        "seat_type": "workspace_member",
    }


def day_of(field: str, unix_ms: int) -> date:
    """Return the day (UTC) in which milliseconds since 1970 lie; raises InvalidField."""
    if not 0 <= unix_ms <= _LAST_DAY_MS:
        raise InvalidField(field, f"is to be in milliseconds since 1970, from 0 to {_LAST_DAY_MS}")
    return datetime.fromtimestamp(unix_ms // _MS, UTC).date()


def character_stats(
    days: Iterable[Mapping[str, Any]],  # Any: JSON of the usage service
    first: date,
    last: date,
    interval: Interval,
    metric: Metric,
    broken_down_by: str | None = None,
) -> dict[str, Any]:
    """Return what was used between two days, both included: one value a day, week (from Monday), month, or in all.

    `broken_down_by` names the field of `days` whose values get a row each, "" where it is null.
    """
    begins = list(_begins(first, last, interval))
    rows: dict[str, dict[date, float]] = {} if broken_down_by else {"All": dict.fromkeys(begins, 0.0)}
    for day in days:
        row = rows.setdefault((day[broken_down_by] or "") if broken_down_by else "All", dict.fromkeys(begins, 0.0))
        row[max(first, _begin(date.fromisoformat(day["date"]), first, interval))] += _value(day, metric)
    times = [int(datetime(one.year, one.month, one.day, tzinfo=UTC).timestamp()) * _MS for one in begins]
    return {"time": times, "usage": {name: list(row.values()) for name, row in rows.items()}}


def _begins(first: date, last: date, interval: Interval) -> Iterator[date]:
    day, known = first, None
    while day <= last:
        begin = max(first, _begin(day, first, interval))
        if begin != known:
            yield begin
            known = begin
        day += timedelta(days=1)


def _begin(day: date, first: date, interval: Interval) -> date:
    match interval:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "cumulative":
            return first


def _value(day: Mapping[str, Any], metric: Metric) -> float:  # Any: JSON
    match metric:
        case "credits" | "tts_characters":
            return float(day["characters"])
        case "minutes_used":
            return float(day["audio_seconds"]) / 60
        case "request_count":
            return float(day["generations"])
