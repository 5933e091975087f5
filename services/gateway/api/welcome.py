"""What answers at the root."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter()


class Links(BaseModel):
    """Where to go from here."""

    voices: str = "/v1/voices"
    generations: str = "/v1/generations"
    usage: str = "/v1/usage"
    search: str = "/v1/search"
    documentation: str = "/docs"
    openapi: str = "/openapi.json"
    health: str = "/healthz"
    readiness: str = "/readyz"


class Welcome(BaseModel):
    """What this is."""

    name: str
    version: str
    links: Links


_WELCOME = Welcome(name="Antiphon", version=version("antiphon"), links=Links())


@router.get("/")
async def welcome() -> Welcome:
    """Say what answers here, and where to go on."""
    return _WELCOME
