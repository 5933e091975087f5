"""WebSockets that outlive the key that opened them."""

from __future__ import annotations

from uuid import uuid4

import aiohttp
import pytest

from tests.integration.gateway.conftest import Tenant


@pytest.mark.parametrize("in_header", [True, False], ids=["in the header", "in the first message"])
async def test_a_revoked_key_has_nothing_more_spoken(gateway: str, tenant: Tenant, in_header: bool) -> None:
    key = {"xi-api-key": tenant.key}
    async with (
        aiohttp.ClientSession(gateway) as session,
        session.ws_connect(f"/v1/text-to-speech/{uuid4()}/stream-input", headers=key if in_header else {}) as socket,
    ):
        await socket.send_json({"text": " ", **({} if in_header else key)})
        # Answered: what was sent before it was read by now, or is with the key as it was.
        async with session.delete(f"/v1/keys/{tenant.key_id}", headers=key) as response:
            assert response.status == 204
        await socket.send_json({"text": "Still here. ", "flush": True})
        told = await socket.receive_json(timeout=5)
    assert told["error"] == "invalid_api_key"
