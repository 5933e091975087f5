"""The voice service's HTTP interface."""

from __future__ import annotations

from services.voice.api.problems import PROBLEMS
from services.voice.api.routes import router

__all__ = ["PROBLEMS", "router"]
