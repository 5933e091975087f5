"""ElevenLabs' models, user, subscription and usage."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

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
    breakdown_type: str = Field("none", description="Ignored: use is counted for all together.")


@router.get("/v1/usage/character-stats")
async def elevenlabs_get_character_stats(wanted: Annotated[StatsQuery, Query()], asking: AskingOf) -> Response:
    """Return what was used in a time, by day, week or month, of all voices and keys together."""
    first, last = account.day_of("start_unix", wanted.start_unix), account.day_of("end_unix", wanted.end_unix)
    target = f"/v1/usage?from={first.isoformat()}&to={last.isoformat()}"
    usage = await asking.json("GET", "analytics", target, template="/v1/usage")
    stats = account.character_stats(usage["items"], first, last, wanted.aggregation_interval, wanted.metric)
    headers = {IGNORED: "breakdown_type"} if wanted.breakdown_type != "none" else {}
    return JSONResponse(stats, headers=headers)
