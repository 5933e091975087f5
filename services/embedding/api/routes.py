"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.embedding.api import search, vectors

router = APIRouter()
for part in (search, vectors):
    router.include_router(part.router)
