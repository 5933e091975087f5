"""The voice service's HTTP interface."""

from __future__ import annotations

from fastapi import APIRouter

from services.voice.api import alignments, routes
from services.voice.api.problems import PROBLEMS

router = APIRouter()
router.include_router(routes.router)
router.include_router(alignments.router)

__all__ = ["PROBLEMS", "router"]
