"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.storage.api import generations, objects

router = APIRouter()
for part in (generations, objects):
    router.include_router(part.router)
