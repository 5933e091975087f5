"""What was used."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator

from libs.web import CallerOf
from services.analytics import domain, usecases
from services.analytics.api.parts import DepsOf

router = APIRouter()
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(text: str) -> str:
    if not _DAY.fullmatch(text):
        raise ValueError("is not a day; write it as 2026-01-31")
    return text


# Not whatever can be read as a date: a number would be seconds since 1970.
Day = Annotated[date, BeforeValidator(_day)]


class DayView(BaseModel):
    """What was used on one day (UTC); `characters_cached` had been spoken before, and counts against no plan."""

    date: date
    characters: int
    audio_seconds: float
    generations: int
    characters_cached: int


class TotalsView(BaseModel):
    """What was used on all days of the answer together."""

    characters: int
    audio_seconds: float
    generations: int
    characters_cached: int


class PeriodView(BaseModel):
    """How the organisation stands in the current calendar month (UTC); no limit is null."""

    characters_used: int
    characters_reserved: int
    characters_limit: int | None
    resets_at: datetime


class UsageView(BaseModel):
    """Usage by day; days without use are left out."""

    items: list[DayView]
    totals: TotalsView
    plan: domain.Plan
    period: PeriodView
    next_cursor: None = None


@router.get("/v1/usage")
async def get_usage(
    caller: CallerOf,
    deps: DepsOf,
    first: Annotated[Day | None, Query(alias="from", description="The first day (UTC).")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day (UTC).")] = None,
) -> UsageView:
    """Report what the organisation used, by day; the last 30 days unless `from` and `to` say otherwise."""
    days, period = await usecases.get_usage(deps, caller, first, last)
    total = domain.total(days, period.resets_at.date())
    return UsageView(
        items=[
            DayView(
                date=day.day,
                characters=int(day.characters),
                audio_seconds=float(day.audio_seconds),
                generations=day.generations,
                characters_cached=int(day.characters_cached),
            )
            for day in days
        ],
        totals=TotalsView(
            characters=int(total.characters),
            audio_seconds=float(total.audio_seconds),
            generations=total.generations,
            characters_cached=int(total.characters_cached),
        ),
        plan=period.plan,
        period=PeriodView(
            characters_used=period.used,
            characters_reserved=period.reserved,
            characters_limit=period.plan.characters,
            resets_at=period.resets_at,
        ),
    )
