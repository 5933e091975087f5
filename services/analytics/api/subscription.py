"""What the organisation has subscribed to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from libs.web import CallerOf
from services.analytics import domain, usecases
from services.analytics.api.parts import DepsOf
from services.analytics.domain import Plan, Quota

router = APIRouter()


class QuotaView(BaseModel):
    """One thing that the plan limits; without a limit `limit` and `remaining` are null."""

    quota: Quota
    limit: int | None = Field(examples=[10_000])
    used: int = Field(examples=[1_200])
    reserved: int = Field(description="Set aside for what is being made.", examples=[300])
    remaining: int | None = Field(examples=[8_500])
    resets_at: datetime | None = Field(
        description="When it counts anew; null for what does not: stored bytes and voices count what there is."
    )


class SubscriptionView(BaseModel):
    """The plan and what is left of it. `plan_in_force` is the one whose limits count."""

    plan: Plan
    status: Literal["active", "cancelled", "expired"]
    plan_in_force: Plan
    start_date: datetime | None
    end_date: datetime | None = Field(description="When it ends; null where it does not.")
    next_plan: Plan | None = Field(description="What the plan becomes at `changes_at`.")
    changes_at: datetime | None
    concurrency: int = Field(description="Pieces of the organisation's work that are done at the same time.")
    quotas: list[QuotaView]


@router.get("/v1/subscription")
async def get_subscription(caller: CallerOf, deps: DepsOf) -> SubscriptionView:
    """Report the organisation's plan: its limits, what is used, and what is left until when."""
    subscription, period = await usecases.get_subscription(deps, caller)
    known = subscription or domain.Subscription(period.plan, "active", None)
    return SubscriptionView(
        plan=known.plan,
        status=_status(known.status),
        plan_in_force=period.plan,
        start_date=known.start_date,
        end_date=known.end_date,
        next_plan=known.next_plan,
        changes_at=known.changes_at,
        concurrency=period.limits.concurrency,
        quotas=[_quota(quota, limit, period) for quota, limit in period.limits],
    )


def _status(status: str) -> Literal["active", "cancelled", "expired"]:
    if status == "active":
        return "active"
    return "cancelled" if status == "cancelled" else "expired"


def _quota(quota: Quota, limit: int | None, period: domain.PeriodOfQuotas) -> QuotaView:
    standing = period.standing
    return QuotaView(
        quota=quota,
        limit=limit,
        used=standing.used.get(quota, 0),
        reserved=standing.reserved.get(quota, 0),
        remaining=None if limit is None else standing.left(quota, limit),
        resets_at=period.resets_at if quota.is_monthly else None,
    )
