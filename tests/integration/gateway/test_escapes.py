"""A path with escapes is no route's: what the gateway's own router would read in it reaches nobody."""

from __future__ import annotations

import aiohttp
import pytest
from yarl import URL

KEYED = ["/openai/v1/%6dodels", "/openai/v1/models/%74ts-1", "/openai/v1/models/%F2%9E%9A%A2%02", "/v1/%65vents"]
# What the table does not take for an id, and what has a slash too many.
ODD = ["/openai/v1/models/a:b", "/v1/voices/a:b/settings", "/v1/events/", "/docs/"]


@pytest.mark.parametrize("path", KEYED + ODD)
@pytest.mark.parametrize("with_key", [True, False])
async def test_an_escaped_path_is_not_found(
    gateway: str, client: aiohttp.ClientSession, path: str, with_key: bool
) -> None:
    headers = client.headers if with_key else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(URL(gateway + path, encoded=True)) as answer,
    ):
        assert answer.status == 404
        body = await answer.json(content_type=None)
        assert (body["error"] if path.startswith("/openai/") else body)["code"] == "not_found"
