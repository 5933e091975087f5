"""Files sent as clients send them: announced, PUT to the object store, completed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import aiohttp
from yarl import URL

from tests.support.api import Api


async def no_upload(_org_id: UUID, _upload_id: UUID) -> None:
    """Answer a service that looks for an upload: there is none."""


def announced(content: bytes, **changes: Any) -> dict[str, Any]:  # Any: JSON
    """What a client says of a file before it sends it."""
    said = {
        "purpose": "media",
        "filename": "line.wav",
        "content_type": "audio/wav",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return said | changes


async def put(upload: Mapping[str, Any], content: bytes) -> int:  # Any: JSON
    """Send a file without any key of ours; the status that the object store answers."""
    headers = {name: value for name, value in upload["headers"].items() if name != "Content-Length"}
    async with (
        aiohttp.ClientSession() as outside,
        outside.put(URL(upload["url"], encoded=True), data=content, headers=headers) as response,
    ):
        return response.status


async def uploaded(api: Api, content: bytes, **changes: Any) -> dict[str, Any]:  # Any: JSON
    """Media of a content, verified."""
    opened = await api.post("/v1/uploads", json=announced(content, **changes))
    assert opened.status == 201, opened.content
    assert await put(opened.json, content) == 200
    completed = await api.post(f"/v1/uploads/{opened.json['id']}/complete")
    assert completed.status == 200, completed.content
    media: dict[str, Any] = completed.json
    return media
