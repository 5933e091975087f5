"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.analytics.api import usage

router = APIRouter()
for part in (usage,):
    router.include_router(part.router)
