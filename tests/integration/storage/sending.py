"""Files on their way to the object store, as clients send them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import aiohttp
import orjson
from yarl import URL

from libs.ids import new_id
from libs.objectstore import ObjectStore
from libs.web import Caller
from tests.integration.storage.conftest import Answer, Client
from tests.support import media
from tests.support.uploads import announced

WAVE = media.tone()


async def post(client: Client, path: str, body: Any = None) -> Answer:  # Any: JSON
    headers = client.identity() | {"content-type": "application/json"}
    async with client.session.post(path, data=orjson.dumps(body) if body is not None else None, headers=headers) as got:
        return Answer(got.status, {name.lower(): value for name, value in got.headers.items()}, await got.read())


async def opened(client: Client, content: bytes = WAVE, **changes: Any) -> dict[str, Any]:  # Any: JSON
    answer = await post(client, "/v1/uploads", announced(content, **changes))
    assert answer.status == 201, answer.body
    upload: dict[str, Any] = orjson.loads(answer.body)
    return upload


async def send(
    outside: aiohttp.ClientSession, upload: dict[str, Any], content: bytes = WAVE, **headers: str
) -> tuple[int, bytes]:
    sent = upload["headers"] | {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in sent.items() if name.lower() != "content-length"}
    async with outside.put(URL(upload["url"], encoded=True), data=content, headers=sent) as response:
        return response.status, await response.read()


async def complete(client: Client, upload: dict[str, Any], body: Any = None) -> Answer:  # Any: JSON
    return await post(client, f"/v1/uploads/{upload['id']}/complete", body)


async def keys(objects: ObjectStore, client: Client) -> list[str]:
    """What the organisation has in the object store."""
    return [
        key for kind in ("media", "quarantine") for key in await objects.list_keys(f"{kind}/orgs/{client.org_id}/", 100)
    ]


async def stored(client: Client, outside: aiohttp.ClientSession, content: bytes = WAVE, **changes: Any) -> Any:
    """Media of the client's organisation. Any: JSON."""
    upload = await opened(client, content, **changes)
    assert (await send(outside, upload, content))[0] == 200
    answer = await complete(client, upload)
    assert answer.status == 200, answer.body
    return orjson.loads(answer.body)


def caller_of(client: Client) -> Caller:
    return Caller(org_id=client.org_id, key_id=new_id())


def id_of(upload: dict[str, Any]) -> UUID:  # Any: JSON
    return UUID(upload["id"])
