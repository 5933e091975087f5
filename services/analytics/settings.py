"""What the analytics service reads from its environment."""

from __future__ import annotations

from libs.service import ResourceSettings
from services.analytics.domain import Plan


class Settings(ResourceSettings):
    """Settings of the analytics service."""

    default_plan: Plan = Plan.ENTERPRISE
