"""A path with escapes is no route's: what the gateway's own router would read in it reaches nobody."""

from __future__ import annotations

import aiohttp
import pytest
from yarl import URL

KEYED = ["/openai/v1/%6dodels", "/openai/v1/models/%74ts-1", "/openai/v1/models/%F2%9E%9A%A2%02", "/v1/%65vents"]


@pytest.mark.parametrize("path", KEYED)
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
