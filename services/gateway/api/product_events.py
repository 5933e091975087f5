"""What visitors of the operator's sites do: anonymous events, what they come to, and funnels."""

from __future__ import annotations

import re
from datetime import UTC, date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from starlette.status import HTTP_204_NO_CONTENT

from libs.web import invalid_field, told
from services.gateway.api import access_problems as problems
from services.gateway.api.fields import Body
from services.gateway.api.keys import address_of
from services.gateway.api.parts import AskingOf, CredentialOf, DepsOf
from services.gateway.domain.access import Credential
from services.gateway.domain.members import NotOperator
from services.gateway.domain.organizations import FIRST_ORGANIZATION_ID
from services.gateway.domain.visitors import objects_to_tracking

router = APIRouter()

EVENTS_MAX = 100
PROPERTIES_MAX = 10
NUMBER_MAX = 1_000_000
"""More digits than that may be somebody's telephone number."""
RESERVED = frozenset(("signed_up", "voice_created", "generated", "returned"))
# Words and short codes: an e-mail address, an IP address, an id or a telephone number is none of these.
_NAME = r"^[a-z][a-z_]{0,39}$"
_VALUE = re.compile(r"[A-Za-z][A-Za-z _/+-]{0,39}|[A-Za-z][A-Za-z _-]{0,30}[0-9]{1,3}|[0-9]{1,4}x[0-9]{1,4}|", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _event_name(name: str) -> str:
    if name in RESERVED:
        raise ValueError("is counted from what the platform itself sees, and cannot be sent")
    return name


def _value(text: str) -> str:
    if not _VALUE.fullmatch(text):
        raise ValueError("is to be a word or a short code of at most 40 letters such as `en-US`, and nobody's data")
    return text


def _number(number: float) -> float:
    if not -NUMBER_MAX <= number <= NUMBER_MAX:
        raise ValueError(f"is to be between -{NUMBER_MAX} and {NUMBER_MAX}")
    return number


def _day(text: str) -> str:
    if not _DAY.fullmatch(text):
        raise ValueError("is not a day; write it as 2026-01-31")
    return text


Day = Annotated[date, BeforeValidator(_day)]
EventName = Annotated[str, Field(pattern=_NAME, examples=["visited"]), AfterValidator(_event_name)]
PropertyName = Annotated[str, Field(pattern=_NAME, examples=["page"])]
Value = (
    StrictBool
    | Annotated[StrictInt, AfterValidator(_number)]
    | Annotated[StrictFloat, AfterValidator(_number)]
    | Annotated[StrictStr, Field(max_length=40), AfterValidator(_value)]
    | None
)


class ProductEvent(Body):
    """Something that a visitor did."""

    name: EventName
    properties: dict[PropertyName, Value] = Field(
        default_factory=dict, max_length=PROPERTIES_MAX, examples=[{"page": "pricing"}]
    )


class ProductEvents(Body):
    """What one visitor did."""

    events: list[ProductEvent] = Field(min_length=1, max_length=EVENTS_MAX)


class SummaryItem(BaseModel):
    """What happened on one day: one event, or one value of a property; or all groups that are too small, together."""

    date: Annotated[date, Field(description="The day (UTC).")]
    group: str | None = Field(description="The event, or the property's value; empty for events without the property.")
    is_other: bool = Field(description="Whether it is all groups together that are too small to be told.")
    events: int
    visitors: int = Field(description="Different visitors on that day.")


class EventTotals(BaseModel):
    """What all items have together."""

    events: int


class Summary(BaseModel):
    """Events by day and group; no group is of fewer than `k` visitors, and what is left out is in no total."""

    items: list[SummaryItem]
    totals: EventTotals
    k: int


class Steps(BaseModel):
    """How many took each step; of between 1 and `k` - 1 is null."""

    visited: int | None = Field(description="Different visitors on a day; one who comes on two days counts twice.")
    signed_up: int | None = Field(description="Organisations that were made.")
    voice_created: int | None = Field(description="Organisations that made their first custom voice.")
    generated: int | None = Field(description="Organisations that completed their first generation.")
    returned: int | None = Field(description="Organisations that completed one on a second day.")


class FunnelDay(Steps):
    """How many took each step on one day (UTC)."""

    date: Annotated[date, Field(description="The day (UTC).")]


class Funnels(BaseModel):
    """Steps by day; `totals` adds up what is told."""

    items: list[FunnelDay]
    totals: Steps
    k: int


def _require_operator(credential: Credential) -> None:
    if credential.org_id != FIRST_ORGANIZATION_ID:
        raise NotOperator


_REFUSALS = told(problems.NOT_OPERATOR, invalid_field("from", "the range has more than 92 days; ask for less at once"))


@router.post("/v1/analytics/events", status_code=HTTP_204_NO_CONTENT, responses=told(problems.NOT_OPERATOR))
async def record_product_events(
    wanted: ProductEvents, request: Request, credential: CredentialOf, deps: DepsOf, asking: AskingOf
) -> None:
    """Tell what an anonymous visitor of the operator's sites did; nothing of a browser that asks not to be tracked.

    Neither the address nor the browser is kept, nor an organisation. Only keys of the installation's first organisation
    may; one with the scope `analytics:write` alone can be published in a page.
    """
    _require_operator(credential)
    if objects_to_tracking({name: request.headers.getlist(name) for name in ("dnt", "sec-gpc")}):
        return
    today = deps.clock().astimezone(UTC).date()
    token = deps.visitors.token(address_of(request.scope), request.headers.get("user-agent", ""), today)
    document = {"visitor": token.hex(), "events": [one.model_dump() for one in wanted.events]}
    await asking.json("POST", "analytics", "/internal/product-events", document=document)


First = Annotated[Day | None, Query(alias="from", description="The first day (UTC); 30 days by default.")]
Last = Annotated[Day | None, Query(alias="to", description="The last day (UTC), which is over; yesterday by default.")]


@router.get("/v1/analytics/events/summary", responses=_REFUSALS)
async def summarize_product_events(
    credential: CredentialOf,
    asking: AskingOf,
    first: First = None,
    last: Last = None,
    name: Annotated[str | None, Query(pattern=_NAME, description="Only this event.", examples=["visited"])] = None,
    by: Annotated[
        str | None,
        Query(alias="property", pattern=_NAME, description="By the values of this property, rather than by event."),
    ] = None,
) -> Summary:
    """Count events and visitors by day, in groups too large to tell of anybody; only days that are over."""
    _require_operator(credential)
    query = _query(first, last) | {key: value for key, value in (("name", name), ("property", by)) if value}
    return Summary.model_validate(await _ask(asking, "summary", query))


@router.get("/v1/analytics/funnels", responses=_REFUSALS)
async def list_funnels(credential: CredentialOf, asking: AskingOf, first: First = None, last: Last = None) -> Funnels:
    """Count who took which step, from the first visit to coming back, by days that are over."""
    _require_operator(credential)
    return Funnels.model_validate(await _ask(asking, "funnels", _query(first, last)))


def _query(first: date | None, last: date | None) -> dict[str, str]:
    return {name: day.isoformat() for name, day in (("from", first), ("to", last)) if day}


async def _ask(asking: AskingOf, what: str, query: dict[str, str]) -> Any:  # Any: JSON
    path = f"/internal/product-events/{what}"
    return await asking.json("GET", "analytics", f"{path}?{urlencode(query)}" if query else path, template=path)
