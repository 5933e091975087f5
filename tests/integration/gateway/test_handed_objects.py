"""A service says what an answer is, the object store has its content."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import psutil
import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from libs.database import Database
from libs.messaging import Bus
from libs.objectstore import ObjectStore
from libs.web import OBJECT_HEADER, TAKES_OBJECTS_HEADER, ObjectPart, object_handover
from tests.integration.gateway.conftest import Tenant, running_gateway
from tests.integration.gateway.serving import HOST, Service, answer, free_port, serving
from tests.support.polling import eventually
from tests.support.servers import Servers

CONTENT = bytes(range(256)) * 12_000
HEADERS = {"etag": '"1"', "content-type": "audio/mpeg", "accept-ranges": "bytes", "content-length": "1"}
PATH = "/v1/tracks/x/audio"
LEAVING = 50


@pytest.fixture
async def key(objects: ObjectStore) -> AsyncIterator[str]:
    name = f"test/{uuid4()}"
    await objects.put(name, CONTENT, "audio/mpeg")
    yield name
    await objects.delete(name)


@pytest.fixture
async def client(
    database: Database, bus: Bus, objects: ObjectStore, storage: Service, tenant: Tenant
) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serving(storage) as storage_url,
        running_gateway(database, bus, {"storage": storage_url}, objects=objects) as url,
        aiohttp.ClientSession(url, headers=tenant.headers) as session,
    ):
        yield session


def _connections(store: ObjectStore) -> int:
    """Count this process's connections to an object store."""
    port = urlsplit(store.endpoint).port
    return sum(getattr(one.raddr, "port", None) == port for one in psutil.Process().net_connections())


def hands_over(storage: Service, part: ObjectPart) -> None:
    """Have the service hand over `part`, and send words of its own to who does not take objects."""

    async def decide(scope: Scope, receive: Receive, send: Send) -> None:
        if TAKES_OBJECTS_HEADER in Request(scope).headers:
            status = 200 if part.first is None else 206
            await object_handover(status, HEADERS, part)(scope, receive, send)
        else:
            await answer(send, b"what the service says", 404)

    storage.app = decide


async def test_the_content_comes_from_the_object_store(
    client: aiohttp.ClientSession, storage: Service, key: str
) -> None:
    hands_over(storage, ObjectPart(key, len(CONTENT)))
    async with client.get(PATH) as response:
        assert (response.status, await response.read()) == (200, CONTENT)
    said = {name: response.headers[name] for name in ("ETag", "Content-Type", "Accept-Ranges", "Content-Length")}
    assert said == {
        "ETag": '"1"',
        "Content-Type": "audio/mpeg",
        "Accept-Ranges": "bytes",
        "Content-Length": str(len(CONTENT)),
    }
    assert OBJECT_HEADER not in response.headers
    assert response.headers.getall("Content-Length") == [str(len(CONTENT))]
    assert len(storage.seen) == 1


async def test_so_does_a_part_of_it(client: aiohttp.ClientSession, storage: Service, key: str) -> None:
    hands_over(storage, ObjectPart(key, 1_000_000, 77))
    async with client.get(PATH) as response:
        assert (response.status, await response.read()) == (206, CONTENT[77 : 77 + 1_000_000])


async def test_a_client_cannot_take_objects(client: aiohttp.ClientSession, storage: Service) -> None:
    async with client.get("/v1/tracks", headers={TAKES_OBJECTS_HEADER: "mine"}) as response:
        assert response.status == 200
    assert storage.last.all(TAKES_OBJECTS_HEADER) == ["1"]


async def test_who_leaves_leaves_nothing_open(
    client: aiohttp.ClientSession, storage: Service, key: str, objects: ObjectStore
) -> None:
    hands_over(storage, ObjectPart(key, len(CONTENT)))
    before = _connections(objects)
    for _ in range(LEAVING):
        async with client.get(PATH) as response:
            await response.content.readexactly(1000)
            response.close()

    async def are_closed() -> bool:
        # Kept for the next are those of answers that had come in full before their clients left.
        return _connections(objects) <= before + LEAVING // 5

    await eventually(are_closed, within=10, what="the end of connections to the object store")


@pytest.mark.parametrize("change", [{"key": "test/none"}, {"length": 5}, {"length": len(CONTENT) + 1, "first": 1}])
async def test_the_service_has_the_word_on_what_is_not_there(
    client: aiohttp.ClientSession, storage: Service, key: str, change: dict[str, object]
) -> None:
    hands_over(storage, replace(ObjectPart(key, len(CONTENT)), **change))  # type: ignore[arg-type]
    async with client.get(PATH) as response:
        assert (response.status, await response.read()) == (404, b"what the service says")


async def test_and_on_a_store_that_is_away(
    servers: Servers, database: Database, bus: Bus, storage: Service, tenant: Tenant, key: str
) -> None:
    away = ObjectStore(replace(servers.object_store_address, endpoint=f"http://{HOST}:{free_port()}"))
    hands_over(storage, ObjectPart(key, len(CONTENT)))
    async with (
        serving(storage) as storage_url,
        running_gateway(database, bus, {"storage": storage_url}, objects=away) as url,
        aiohttp.ClientSession(url, headers=tenant.headers) as session,
        session.get(PATH) as response,
    ):
        assert (response.status, await response.read()) == (404, b"what the service says")
    await away.close()


async def test_a_store_that_hangs_is_waited_for_no_longer_than_a_pause(
    servers: Servers, database: Database, bus: Bus, storage: Service, tenant: Tenant, key: str
) -> None:
    hands_over(storage, ObjectPart(key, len(CONTENT)))
    with socket.create_server((HOST, 0)) as mute:
        endpoint = f"http://{HOST}:{mute.getsockname()[1]}"
        hung = ObjectStore(replace(servers.object_store_address, endpoint=endpoint))
        async with (
            serving(storage) as storage_url,
            running_gateway(database, bus, {"storage": storage_url}, objects=hung) as url,
            aiohttp.ClientSession(url, headers=tenant.headers) as session,
            session.get(PATH) as response,
        ):
            assert (response.status, (await response.json())["code"]) == (503, "service_unavailable")
            assert "Retry-After" in response.headers
        await hung.close()
    assert len(storage.seen) == 1
