"""Tracks as their organisation finds them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson

from tests.integration.storage.conftest import Answer, Client

CONTENT = bytes(range(256)) * 100
LARGE = bytes(range(256)) * 5000


async def listed(client: Client, **query: Any) -> list[dict[str, Any]]:  # Any: JSON
    answer = await client.get(f"/v1/tracks?{urlencode(query)}")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = orjson.loads(answer.body)["items"]
    return items


async def track_of(client: Client, generation_id: str) -> str:
    (found,) = await listed(client, generation_id=generation_id)
    return str(found["id"])


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, orjson.loads(answer.body)["code"]
