"""HTTP routes of the storage service: the bytes, for whoever the owning service has let through."""

from __future__ import annotations

from services.storage.api.application import create_storage_app
from services.storage.api.problems import PROBLEMS
from services.storage.api.routes import router

__all__ = ["PROBLEMS", "create_storage_app", "router"]
