"""ElevenLabs' models, user, subscription and usage."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from services.gateway.adapters.asking import Asking
from services.gateway.api.elevenlabs.speech import IGNORED
from services.gateway.api.parts import AskingOf, CredentialOf
from services.gateway.domain.elevenlabs import account, models
from services.gateway.usecases.library import all_voices

router = APIRouter()


@router.get("/v1/models")
async def elevenlabs_list_models(asking: AskingOf) -> list[dict[str, Any]]:  # Any: JSON
    """List the engines; a request that names one of ElevenLabs' models is spoken by the voice's own."""
    engines = await asking.json("GET", "generation", "/v1/models")
    return [models.model_of(engine) for engine in engines["items"]]


async def _subscription(asking: Asking) -> dict[str, Any]:  # Any: JSON
    usage, voices = await asyncio.gather(asking.json("GET", "analytics", "/v1/usage"), all_voices(asking))
    return account.subscription_of(usage, sum(voice["variant"] == "CUSTOM" for voice in voices))


@router.get("/v1/user")
async def elevenlabs_get_user(asking: AskingOf, credential: CredentialOf) -> dict[str, Any]:  # Any: JSON
    """Return who is asking, and on which plan."""
    return account.user_of(credential.org_id, credential.user_id, await _subscription(asking))


@router.get("/v1/user/subscription")
async def elevenlabs_get_subscription(asking: AskingOf) -> dict[str, Any]:  # Any: JSON
    """Return the plan and what is used of it in this month."""
    return await _subscription(asking)


class StatsQuery(BaseModel):
    """Which use is asked for; times are milliseconds since 1970."""

    start_unix: int = Field(description="The first millisecond.", examples=[1_767_225_600_000])
    end_unix: int = Field(description="The last millisecond.", examples=[1_769_817_600_000])
    aggregation_interval: account.Interval = Field("day", description="What one value counts; weeks from Monday.")
    metric: account.Metric = Field("credits", description="What is counted.")
    breakdown_type: str = Field(
        "none", description="`voice`, `user` or `api_keys`, by their ids; for anything else all together."
    )


@router.get("/v1/usage/character-stats")
async def elevenlabs_get_character_stats(wanted: Annotated[StatsQuery, Query()], asking: AskingOf) -> Response:
    """Return what was used in a time, by day, week or month, of all together or by voice, user or key."""
    first, last = account.day_of("start_unix", wanted.start_unix), account.day_of("end_unix", wanted.end_unix)
    group, field = account.BREAKDOWNS.get(wanted.breakdown_type, (None, None))
    days = await _days_of_use(asking, first, last, group)
    stats = account.character_stats(days, first, last, wanted.aggregation_interval, wanted.metric, field)
    is_ignored = group is None and wanted.breakdown_type != "none"
    return JSONResponse(stats, headers={IGNORED: "breakdown_type"} if is_ignored else {})


async def _days_of_use(asking: Asking, first: date, last: date, group: str | None) -> list[dict[str, Any]]:  # Any: JSON
    query = {"from": first.isoformat(), "to": last.isoformat(), "group_by": f"day,{group}" if group else "day"}
    days: list[dict[str, Any]] = []
    while True:
        page = await asking.json("GET", "analytics", f"/v1/usage?{urlencode(query)}", template="/v1/usage")
        days += page["items"]
        if page["next_cursor"] is None:
            return days
        query["cursor"] = page["next_cursor"]
