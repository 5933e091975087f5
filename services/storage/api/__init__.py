"""HTTP routes of the storage service: the bytes, for whoever the owning service has let through."""

from __future__ import annotations

from services.storage.api.problems import PROBLEMS
from services.storage.api.routes import router

__all__ = ["PROBLEMS", "router"]
