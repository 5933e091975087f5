"""docs/api.md tells of every route that clients can reach, and of every code that they may be answered."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import APIRouter, FastAPI

from services.analytics.api import router as analytics
from services.embedding.api import router as embedding
from services.gateway.api.own import ROUTERS as GATEWAY
from services.generation.api import router as generation
from services.storage.api import router as storage
from services.voice.api import router as voice

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text()
_CODE = re.compile(r'Problem\(\s*\d{3},\s*"(\w+)"')
_NOT_FOR_CLIENTS = {"internal_error"}


def told() -> set[tuple[str, str]]:
    """Method and path of the page's routes, with all parameters written as {id}."""
    routes: set[tuple[str, str]] = set()
    for cell in re.findall(r"^\| (`[A-Z]+ /v1/.*?) \|", PAGE, re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", cell)
        method, path = first.split()
        routes |= {(one, path) for one in (method, *others)}
    return routes


def offered(router: APIRouter) -> set[tuple[str, str]]:
    app = FastAPI()
    app.include_router(router)
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{id}", path))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    }


def test_every_route_is_told_and_none_that_there_is_not() -> None:
    assert told() == set().union(*map(offered, (voice, generation, storage, embedding, analytics, *GATEWAY)))


def test_every_code_is_told() -> None:
    sources = [file for folder in ("services", "libs/web") for file in (ROOT / folder).rglob("*.py")]
    codes = {code for file in sources for code in _CODE.findall(file.read_text())} - _NOT_FOR_CLIENTS
    assert len(codes) > 20
    assert not {code for code in codes if f"`{code}`" not in PAGE}
