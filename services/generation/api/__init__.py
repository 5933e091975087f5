"""The generation service's HTTP routes."""

from __future__ import annotations

from fastapi import APIRouter

from services.generation.api import dictionaries, generations, models, streaming
from services.generation.api.problems import PROBLEMS

router = APIRouter()
for part in (streaming, generations, dictionaries, models):
    router.include_router(part.router)

__all__ = ["PROBLEMS", "router"]
