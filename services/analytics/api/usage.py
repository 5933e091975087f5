"""What was used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timezone
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from libs.web import CallerOf
from services.analytics import domain, usecases
from services.analytics.api.asking import DaysOf, WantedOf, decode_position, encode_position
from services.analytics.api.parts import DepsOf
from services.analytics.domain.reports import (
    GROUPS_PAGE_DEFAULT,
    GROUPS_PAGE_MAX,
    Dimension,
    Group,
    Report,
    ReportQuery,
    groups_of,
)
from services.analytics.domain.whose import Use

router = APIRouter()


class UseView(BaseModel):
    """How much was used; `characters_cached` had been spoken before, and counts against no plan."""

    characters: int
    audio_seconds: float
    generations: int
    characters_cached: int


class DayView(UseView):
    """What was used on one day, or by one of the groups that were asked for.

    The fields of groups that were not asked for are left out; null is what nobody knows, or the user of a key that is
    the organisation's own.
    """

    date: Annotated[date, Field(description="The day; without days or hours among the groups the first one asked for.")]
    hour: datetime | None = Field(default=None, description="When the hour began, with the zone's offset then.")
    voice_id: UUID | None = None
    key_id: UUID | None = None
    user_id: UUID | None = None
    format: str | None = Field(default=None, examples=["mp3_44100_128"])


class TotalsView(UseView):
    """What was used by all groups together, also by those on other pages."""


class PeriodView(BaseModel):
    """How the organisation stands in the current calendar month (UTC); no limit is null."""

    characters_used: int
    characters_reserved: int
    characters_limit: int | None
    resets_at: datetime


class UsageView(BaseModel):
    """Usage by group, in their order; those without use are left out."""

    items: list[DayView]
    totals: TotalsView
    plan: domain.Plan
    period: PeriodView
    group_by: list[Dimension]
    tz: str
    next_cursor: str | None


async def _query(
    days: DaysOf,
    wanted: WantedOf,
    group_by: Annotated[
        str,
        Query(
            max_length=60,
            description="One or two of `day`, `hour`, `voice`, `key`, `user`, `format`, with a comma between them.",
            examples=["day,voice"],
        ),
    ] = "day",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=GROUPS_PAGE_MAX)] = GROUPS_PAGE_DEFAULT,
) -> ReportQuery:
    groups = groups_of(group_by.split(","))
    after = decode_position(cursor, len(groups)) if cursor is not None else None
    return ReportQuery(days.first, days.last, days.zone, groups, wanted, after, limit)


@router.get("/v1/usage", response_model_exclude_unset=True)
async def get_usage(caller: CallerOf, deps: DepsOf, query: Annotated[ReportQuery, Depends(_query)]) -> UsageView:
    """Report what the organisation used, by day or other groups; the last 30 days unless `from` and `to` say otherwise.

    Days and hours are those of the time zone `tz`; the period is always the calendar month in UTC.
    """
    report, period = await usecases.get_usage(deps, caller, query)
    return UsageView(
        items=[_item(query, report, group) for group in report.groups],
        totals=TotalsView.model_validate(_use(report.total)),
        plan=period.plan,
        period=PeriodView(
            characters_used=period.used,
            characters_reserved=period.reserved,
            characters_limit=period.limit,
            resets_at=period.resets_at,
        ),
        group_by=list(query.groups),
        tz=query.zone,
        next_cursor=encode_position(report.groups[-1].keys) if report.has_more else None,
    )


def _item(query: ReportQuery, report: Report, group: Group) -> DayView:
    fields: dict[str, object] = {"date": report.first}
    for dimension, key in zip(query.groups, group.keys, strict=True):
        match dimension:
            case Dimension.DAY:
                fields["date"] = date.fromisoformat(key)
            case Dimension.HOUR:
                hour = datetime.fromisoformat(key).replace(tzinfo=UTC).astimezone(timezone(group.offset))
                fields |= {"date": hour.date(), "hour": hour}
            case Dimension.FORMAT:
                fields["format"] = key or None
            case Dimension.VOICE | Dimension.KEY | Dimension.USER:
                fields[f"{dimension}_id"] = key or None
    return DayView.model_validate(fields | _use(group.use))


def _use(use: Use) -> dict[str, object]:
    return {
        "characters": int(use.characters),
        "audio_seconds": float(use.audio_seconds),
        "generations": use.generations,
        "characters_cached": int(use.characters_cached),
    }
