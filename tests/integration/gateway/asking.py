"""A client that says which key it uses."""

from __future__ import annotations

from typing import Any

import aiohttp

Json = dict[str, Any]  # Any: JSON


class Api:
    """Asks the gateway with a key, or none; returns status and answer."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client

    async def __call__(self, key: str | None, method: str, path: str, body: object = None) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with self._client.request(method, path, json=body, headers=headers) as response:
            return response.status, (await response.json() if response.content_length else {})

    async def download(self, key: str, path: str) -> tuple[int, str, bytes]:
        """Return status, type and content of a file."""
        async with self._client.get(path, headers={"Authorization": f"Bearer {key}"}) as response:
            return response.status, response.content_type, await response.read()
