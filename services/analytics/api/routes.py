"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.analytics.api import export, product_events, subscription, usage

router = APIRouter()
for part in (export, product_events, subscription, usage):
    router.include_router(part.router)
