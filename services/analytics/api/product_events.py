"""What anonymous visitors do; the gateway alone asks, and has found out who may."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from libs.web import CallerOf
from services.analytics.api.asking import Day
from services.analytics.api.parts import DepsOf
from services.analytics.domain.anonymity import FUNNEL_STEPS, K
from services.analytics.store.product_events import NewEvent
from services.analytics.usecases import product_events

router = APIRouter(prefix="/internal/product-events", include_in_schema=False)


class EventIn(BaseModel):
    """One event; the gateway has looked at it."""

    name: str
    properties: dict[str, Any] = Field(default_factory=dict)  # Any: scalars


class EventsIn(BaseModel):
    """What one visitor did; `visitor` is the gateway's token, in hexadecimal digits."""

    model_config = ConfigDict(extra="forbid")

    visitor: str = Field(pattern=r"^[0-9a-f]{32}$")
    events: list[EventIn] = Field(min_length=1, max_length=100)


@router.post("", status_code=204)
async def record_events(wanted: EventsIn, _caller: CallerOf, deps: DepsOf) -> None:
    """Write down what a visitor did."""
    events = [NewEvent(one.name, one.properties) for one in wanted.events]
    await product_events.record_events(deps, bytes.fromhex(wanted.visitor), events)


FirstDay = Annotated[Day | None, Query(alias="from")]
LastDay = Annotated[Day | None, Query(alias="to")]


@router.get("/summary")
async def summarize(
    _caller: CallerOf,
    deps: DepsOf,
    first: FirstDay = None,
    last: LastDay = None,
    name: str | None = None,
    by: Annotated[str | None, Query(alias="property")] = None,
) -> dict[str, Any]:  # Any: JSON, as the gateway passes it on
    """Return events by day and group."""
    begin, end, groups = await product_events.summarize(deps, first, last, name=name, by=by)
    items = [
        {
            "date": one.day,
            "group": None if one.is_other else one.group,
            "is_other": one.is_other,
            "events": one.count.events,
            "visitors": one.count.visitors,
        }
        for one in groups
    ]
    totals = {"events": sum(one.count.events for one in groups)}
    return {"items": items, "totals": totals, "k": K} | _span(begin, end)


@router.get("/funnels")
async def list_funnels(
    _caller: CallerOf, deps: DepsOf, first: FirstDay = None, last: LastDay = None
) -> dict[str, Any]:  # Any: JSON, as the gateway passes it on
    """Return funnels by day."""
    begin, end, funnels = await product_events.list_funnels(deps, first, last)
    items = [{"date": one.day} | dict(zip(FUNNEL_STEPS, one.told, strict=True)) for one in funnels]
    totals = {step: sum(one.told[number] or 0 for one in funnels) for number, step in enumerate(FUNNEL_STEPS)}
    return {"items": items, "totals": totals, "k": K} | _span(begin, end)


def _span(begin: date, end: date) -> dict[str, Any]:  # Any: JSON
    return {"from": begin, "to": end}
