"""HTTP routes of the analytics service."""

from __future__ import annotations

from services.analytics.api.problems import PROBLEMS
from services.analytics.api.routes import router

__all__ = ["PROBLEMS", "router"]
