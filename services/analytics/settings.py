"""What the analytics service reads from its environment."""

from __future__ import annotations

from typing import Literal

from libs.service import ResourceSettings


class Settings(ResourceSettings):
    """Settings of the analytics service."""

    default_plan: Literal["free", "pro", "enterprise"] = "enterprise"
    """Of organisations without an active subscription."""
