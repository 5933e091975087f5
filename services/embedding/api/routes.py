"""All routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.embedding.api import documents, search, vectors

router = APIRouter()
for part in (documents, search, vectors):
    router.include_router(part.router)
