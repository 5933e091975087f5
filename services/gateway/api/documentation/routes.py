"""Where the document and its page are to be had; nobody needs a key for them."""

from __future__ import annotations

import asyncio
import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import APIRouter, Header
from starlette.responses import HTMLResponse, Response

from libs.web import answered, header
from services.gateway.api.documentation.page import page_of

router = APIRouter()

HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
"""What the page may load: its own style and script, and nothing from elsewhere."""
_KEPT = {"cache-control": "no-cache"}
_ETAG = header("Which version of the document this is.", '"5f3a"')

IfNoneMatch = Annotated[str | None, Header(description="The version that the client has: 304 if it is this one.")]


@router.get(
    "/openapi.json",
    response_class=Response,
    responses=answered(200, "The document", content=["application/json"], headers={"ETag": _ETAG})
    | answered(304, "The client has the document as it is", headers={"ETag": _ETAG}),
)
async def get_openapi_document(if_none_match: IfNoneMatch = None) -> Response:
    """Return this document: OpenAPI 3.1 of every route."""
    content = _content("openapi.json")
    return _unless_known(content, if_none_match, "application/json")


@router.get("/docs", response_class=HTMLResponse)
async def read_documentation() -> HTMLResponse:
    """Show this document as a page, which loads nothing from elsewhere."""
    page = await asyncio.to_thread(_page)
    return HTMLResponse(page, headers=_KEPT | {"content-security-policy": POLICY})


@router.get("/docs/docs.css", include_in_schema=False)
async def get_style(if_none_match: IfNoneMatch = None) -> Response:
    return _unless_known(_content("docs.css"), if_none_match, "text/css; charset=utf-8")


@router.get("/docs/docs.js", include_in_schema=False)
async def get_script(if_none_match: IfNoneMatch = None) -> Response:
    return _unless_known(_content("docs.js"), if_none_match, "text/javascript; charset=utf-8")


def _unless_known(content: bytes, known: str | None, media_type: str) -> Response:
    etag = f'"{_digest(content)}"'
    headers = _KEPT | {"etag": etag}
    if known is not None and etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


@cache
def _content(name: str) -> bytes:
    return (HERE / name).read_bytes()


@cache
def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


@cache
def _page() -> str:
    return page_of(orjson.loads(_content("openapi.json")))
