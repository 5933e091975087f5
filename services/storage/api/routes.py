"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.storage.api import generations, media, objects, tracks, uploads

router = APIRouter()
for part in (generations, media, objects, tracks, uploads):
    router.include_router(part.router)
