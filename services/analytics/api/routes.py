"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.analytics.api import subscription, usage

router = APIRouter()
for part in (subscription, usage):
    router.include_router(part.router)
