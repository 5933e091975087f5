"""What the analytics service reads from its environment."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from libs.service import ResourceSettings

PlanName = Literal["free", "pro", "enterprise"]


class LimitChanges(BaseModel):
    """Which limits of a plan are other ones; null for none, and what is not named stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    characters: int | None = Field(default=None, ge=0)
    requests: int | None = Field(default=None, ge=0)
    audio_seconds: int | None = Field(default=None, ge=0)
    stored_bytes: int | None = Field(default=None, ge=0)
    custom_voices: int | None = Field(default=None, ge=0)
    concurrency: int = Field(default=1, ge=1, le=100_000)


class Settings(ResourceSettings):
    """Settings of the analytics service."""

    default_plan: PlanName = "enterprise"
    """Of organisations that never subscribed."""
    plan_limits: dict[PlanName, LimitChanges] = Field(default_factory=dict)
    """JSON: limits that differ from those of the table of plans, such as {"free": {"characters": 20000}}."""
    sweep_seconds: float = Field(default=10.0, gt=0, le=3600)
    """How often what has expired is looked for."""
    reconcile_seconds: float = Field(default=900.0, gt=0, le=86_400)
    """How often sums are compared with the ledger."""
    ledger_months: int = Field(default=25, ge=1, le=1200)
    """Whole months of the ledger that are kept beside the current one; what they add up to stays."""
    product_event_days: int = Field(default=400, ge=1, le=36_500)
    """Days after which the events of visitors are deleted; the funnels stay."""

    @property
    def limit_changes(self) -> dict[str, dict[str, int | None]]:
        """What differs, by plan and quota."""
        return {plan: changes.model_dump(exclude_unset=True) for plan, changes in self.plan_limits.items()}
