"""HTTP routes of the embedding service."""

from __future__ import annotations

from services.embedding.api.problems import PROBLEMS
from services.embedding.api.routes import router

__all__ = ["PROBLEMS", "router"]
