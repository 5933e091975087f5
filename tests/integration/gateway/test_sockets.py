"""WebSockets: those that outlive the key that opened them, and how many there may be."""

from __future__ import annotations

from contextlib import AsyncExitStack
from uuid import uuid4

import aiohttp
import pytest

from libs.database import Database
from services.gateway.usecases.open_sockets import SOCKETS
from tests.integration.gateway.conftest import Tenant, new_tenant
from tests.support.polling import eventually


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


async def test_an_organisation_has_so_many_open_and_others_are_not_concerned(
    gateway: str, tenant: Tenant, database: Database
) -> None:
    path = f"/v1/text-to-speech/{uuid4()}/stream-input"
    async with AsyncExitStack() as opened, aiohttp.ClientSession(gateway) as session:

        async def refused(key: str) -> aiohttp.ClientWebSocketResponse | None:
            """Begin to talk; return the WebSocket if that is refused."""
            socket = await opened.enter_async_context(session.ws_connect(path, headers={"xi-api-key": key}))
            await socket.send_json({"text": " "})
            try:
                said = await socket.receive_json(timeout=0.3)
            except TimeoutError:
                return None
            assert said["error"] == "too_many_sockets", said
            return socket

        places = [await session.ws_connect(path, headers={"xi-api-key": tenant.key}) for _ in range(SOCKETS["free"])]
        for one in places:
            await opened.enter_async_context(one)
            await one.send_json({"text": " "})
        await eventually(lambda: refused(tenant.key), within=10, what="one that is too many")
        assert await refused((await new_tenant(database)).key) is None
        await places[0].close()

        async def has_room() -> bool:
            return await refused(tenant.key) is None

        await eventually(has_room, within=10, what="room after one has gone")
