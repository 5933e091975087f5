"""The voices of an organisation, as a whole: some vendors' clients want them sorted and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from services.gateway.adapters.asking import Asking
from services.gateway.domain.failures import Refused

_PAGE = 100
EXAMINED_WITHIN_SECONDS = 120.0
_POLL_SECONDS = 0.2
VOICE = "/v1/voices/{voice_id}"


async def all_voices(asking: Asking, query: str | None = None) -> list[Mapping[str, Any]]:  # Any: JSON
    """Return all voices that can be spoken with, newest first; with `query`, those whose words contain it."""
    found: list[Mapping[str, Any]] = []  # Any: JSON
    cursor: str | None = None
    while True:
        wanted = {"limit": _PAGE} | ({"query": query} if query else {}) | ({"cursor": cursor} if cursor else {})
        page = await asking.json("GET", "voice", f"/v1/voices?{urlencode(wanted)}", template="/v1/voices")
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def examined(asking: Asking, voice_id: str) -> Mapping[str, Any]:  # Any: JSON
    """Wait until a new voice can be spoken with; one whose recordings will not do is deleted again.

    Returns the voice also when it takes longer. Raises Refused with what is wrong with the recordings.
    """
    target = f"/v1/voices/{voice_id}"
    voice: Mapping[str, Any] = await asking.json("GET", "voice", target, template=VOICE)  # Any: JSON
    deadline = asyncio.get_running_loop().time() + EXAMINED_WITHIN_SECONDS
    while voice["status"] in ("draft", "processing") and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        voice = await asking.json("GET", "voice", target, template=VOICE)
    if voice["status"] == "rejected":
        await asking.json("DELETE", "voice", target, template=VOICE)
        raise Refused(
            status=400,
            code="voice_rejected",
            title="The recordings will not do",
            detail="; ".join(reason["message"] for reason in voice["reasons"]),
            extra={},
            headers={},
        )
    return voice
