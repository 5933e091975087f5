"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.storage.api import generations, objects, tracks

router = APIRouter()
for part in (generations, objects, tracks):
    router.include_router(part.router)
