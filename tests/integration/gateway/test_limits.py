"""What clients meet at the limits of their plan, and without a key."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from libs.apikeys import new_api_key
from libs.database import Database
from tests.integration.gateway.conftest import PLANS, Tenant, new_tenant
from tests.integration.gateway.serving import Service, answer, until
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("voice_running")

LIMITS = PLANS["pro"]
POLICY = '"key";q=10;w=60, "organization";q=15;w=60, "concurrency";q=3;qu="concurrent-requests"'


@pytest.fixture
async def limited(database: Database) -> Tenant:
    return await new_tenant(database, "pro")


@pytest.fixture
async def client(gateway: str, limited: Tenant) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway, headers=limited.headers) as session:
        yield session


def _remaining(response: aiohttp.ClientResponse) -> dict[str, int]:
    field = response.headers["RateLimit"]
    assert re.fullmatch(r'"key";r=\d+;t=\d+, "organization";r=\d+;t=\d+, "concurrency";r=\d+', field), field
    return {name: int(count) for name, count in re.findall(r'"(\w+)";r=(\d+)', field)}


async def test_every_answer_says_what_is_left(client: aiohttp.ClientSession) -> None:
    for used in range(1, 4):
        response = await client.get("/v1/voices")
        assert response.headers["RateLimit-Policy"] == POLICY
        assert _remaining(response) == {"key": 10 - used, "organization": 15 - used, "concurrency": 2}
    missing = await client.get("/v1/search")
    assert missing.status == 405


async def test_behind_the_limit_requests_are_answered_429(client: aiohttp.ClientSession, voice: Service) -> None:
    statuses = [(await client.get("/v1/voices")).status for _ in range(10)]
    assert statuses == [200] * 10
    response = await client.get("/v1/voices")
    problem = await response.json()
    assert (response.status, problem["code"], problem["policy"]) == (429, "rate_limited", "key")
    assert (response.headers["Retry-After"], problem["limit"]) == ("6", 10)
    assert _remaining(response)["key"] == 0
    assert '"key";r=0;t=6' in response.headers["RateLimit"]
    assert response.headers["RateLimit-Policy"] == POLICY
    assert len(voice.seen) == 10


async def test_refusals_are_told_in_the_form_of_the_route(client: aiohttp.ClientSession) -> None:
    for _ in range(10):
        await client.get("/v1/voices")
    response = await client.post("/openai/v1/audio/speech", json={})
    assert response.status == 429
    assert int(response.headers["Retry-After"]) > 0
    assert set(await response.json()) == {"error"}


async def test_errors_say_what_is_left_too(client: aiohttp.ClientSession, gateway: str) -> None:
    away = await client.post("/v1/search", json={"query": "x"})
    assert away.status == 503
    assert _remaining(away)["key"] == 9


async def test_only_so_many_requests_run_at_once(client: aiohttp.ClientSession, voice: Service) -> None:
    go_on = asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"end"})

    voice.app = slow
    streams = [await client.get("/v1/voices") for _ in range(3)]
    refused = await client.get("/v1/voices")
    problem = await refused.json()
    assert (refused.status, problem["code"], problem["policy"]) == (429, "concurrency_limited", "concurrency")
    assert (refused.headers["Retry-After"], _remaining(refused)["concurrency"]) == ("1", 0)
    # A client that goes away leaves its place to another one.
    streams.pop().close()

    async def admitted() -> bool:
        response = await client.get("/v1/voices")
        if response.status == 200:
            streams.append(response)
        return response.status == 200

    await eventually(admitted, within=5, every=0.3, what="the place of the client that went away")
    go_on.set()
    assert [await stream.read() for stream in streams] == [b"end"] * 3


async def test_another_organisation_does_not_notice(
    client: aiohttp.ClientSession, gateway: str, tenant: Tenant
) -> None:
    statuses = {(await client.get("/v1/voices")).status for _ in range(12)}
    assert statuses == {200, 429}
    async with aiohttp.ClientSession(gateway, headers=tenant.headers) as other:
        response = await other.get("/v1/voices")
        assert response.status == 200
        assert _remaining(response)["key"] == 999


async def test_who_tries_many_keys_has_to_wait(gateway: str, limited: Tenant, voice: Service) -> None:
    async with aiohttp.ClientSession(gateway) as stranger, aiohttp.ClientSession(gateway) as known:
        assert (await known.get("/v1/voices", headers=limited.headers)).status == 200

        async def try_keys() -> None:
            """Until nobody listens any more, for as long as a well-formed key is not looked up either."""
            for key in ("ant_guess", new_api_key()):
                while (await stranger.get("/v1/voices", headers={"Authorization": f"Bearer {key}"})).status == 401:
                    pass

        async with asyncio.timeout(30):
            await asyncio.gather(*(try_keys() for _ in range(20)))
            while (response := await stranger.get("/v1/voices", headers={"xi-api-key": new_api_key()})).status == 401:
                pass
        problem = await response.json()
        assert (response.status, problem["code"], response.headers["Retry-After"]) == (429, "too_many_attempts", "1")
        assert "RateLimit" not in response.headers
        # Whose key is known is not locked out by somebody at the same address.
        assert (await known.get("/v1/voices", headers=limited.headers)).status == 200
    assert len(voice.seen) == 2


async def test_what_is_refused_counts_as_finished(client: aiohttp.ClientSession, voice: Service) -> None:
    async def fail(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, status=500)

    voice.app = fail
    for _ in range(10):
        assert (await client.get("/v1/voices")).status == 500
    await until(lambda: len(voice.seen) == 10)
