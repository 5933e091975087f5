"""The operator's route for plans of organisations."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from libs.web import PathId, as_id, told
from services.gateway.api import access_problems as problems
from services.gateway.api.fields import Body, Moment
from services.gateway.api.parts import CredentialOf, DepsOf
from services.gateway.domain.organizations import Plan
from services.gateway.domain.subscriptions import OrganizationNotFound, WantedSubscription
from services.gateway.usecases import subscriptions

router = APIRouter()


class NewSubscription(Body):
    """What an organisation is to have subscribed to."""

    plan: Plan
    status: Literal["active", "cancelled"] = Field(
        default="active", description="Cancelled: the plan, which is the present one, runs to its end."
    )
    effective: Literal["now", "period_end"] | None = Field(
        default=None,
        description="When: at once, or when the month (UTC) ends; upgrades at once and the rest then, if left out.",
    )
    end_date: Moment | None = Field(default=None, description="When an active subscription ends; null for never.")


class ChangedSubscriptionView(BaseModel):
    """What an organisation has subscribed to. `plan_in_force` is the plan whose limits count."""

    plan: str = Field(examples=["pro"])
    status: str = Field(examples=["active"])
    plan_in_force: str = Field(examples=["pro"])
    start_date: datetime | None
    end_date: datetime | None
    next_plan: str | None = Field(description="What the plan becomes at `changes_at`.", examples=["free"])
    changes_at: datetime | None


@router.put(
    "/v1/organizations/{organization_id}/subscription",
    responses=told(problems.NOT_OPERATOR, problems.NO_ORGANIZATION, problems.INVALID_END, problems.ANALYTICS_AWAY),
)
async def change_subscription(
    organization_id: PathId, wanted: NewSubscription, credential: CredentialOf, deps: DepsOf
) -> ChangedSubscriptionView:
    """Change an organisation's plan. Only owners of the installation's first organisation may.

    An upgrade gives the new limits for the whole month, and what is used stays used. Doing it twice changes it once.
    """
    org_id = as_id(organization_id, OrganizationNotFound)
    asked = WantedSubscription(wanted.plan, wanted.status, wanted.effective, wanted.end_date)
    changed = await subscriptions.change_subscription(deps, credential, org_id, asked)
    return ChangedSubscriptionView(
        plan=changed.plan,
        status=changed.status,
        plan_in_force=changed.plan_in_force,
        start_date=changed.start_date,
        end_date=changed.end_date,
        next_plan=changed.next_plan,
        changes_at=changed.changes_at,
    )
