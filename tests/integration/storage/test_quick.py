"""Small audio that was sent a moment ago is sent again as it was, asking neither database nor object store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import product

import pytest

from libs.database import Database
from libs.ids import new_id
from libs.messaging import connect
from libs.objectstore import ObjectStore
from libs.web.known import Known, telling
from services.storage import usecases
from services.storage.domain.signals import REMOVED
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Answer, Client, Studio, delivery, kept, serving
from tests.integration.storage.listing import track_of
from tests.support.broker import Broker
from tests.support.polling import eventually
from tests.support.servers import Servers

CONTENT = bytes(range(256)) * 10
ASKED: list[dict[str, str]] = [
    {},
    {"range": "bytes=0-0"},
    {"range": "bytes=100-"},
    {"range": "bytes=-7"},
    {"range": "bytes=1-2,5-6"},
    {"range": "bytes=2560-"},
    {"if_none_match": '"other"'},
    {"if_none_match": "*"},
    {"if_match": '"other"'},
    {"if_modified_since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    {"range": "bytes=10-", "if_range": '"other"'},
]


@asynccontextmanager
async def asking_nobody(deps: Deps, studio: Studio, unreachable: ObjectStore) -> AsyncIterator[Client]:
    """A client of a service that has nothing but what is in its memory."""
    database = Database("postgresql://nobody@127.0.0.1:1/nothing", "secret", application="test")
    async with serving(replace(deps, database=database, objects=unreachable)) as http:
        yield Client(http, studio.org_id)
    await database.close()


def said(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """An answer without what differs from one to the next."""
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, answer.body


async def test_from_memory_every_answer_is_the_one_that_it_would_be(
    deps: Deps, studio: Studio, client: Client, unreachable: ObjectStore
) -> None:
    event = await kept(deps, studio, CONTENT)
    track_id = await track_of(client, event.generation_id)
    for path in (f"/v1/tracks/{track_id}/audio", f"/internal/generations/{event.generation_id}/audio?made=true"):
        slow = []
        for asked in ASKED:
            deps.known.forget_all()
            slow.append(said(await client.get(path, **asked)))
        assert (await client.get(path)).body == CONTENT
        async with asking_nobody(deps, studio, unreachable) as reader:
            for asked, expected in zip(ASKED, slow, strict=True):
                answer = said(await reader.get(path, **asked))
                # What cannot be had as it is asked for is told where everything is.
                assert answer == expected if expected[0] < 400 else answer[0] == 503


async def test_memory_is_nobody_elses_and_opens_no_door(
    deps: Deps, studio: Studio, client: Client, stranger: Client
) -> None:
    event = await kept(deps, studio, CONTENT)
    path = f"/v1/tracks/{await track_of(client, event.generation_id)}/audio"
    for _ in range(2):
        assert (await client.get(path)).status == 200
    assert (await stranger.get(path)).status == 404
    async with client.session.get(path) as response:
        assert response.status == 401
    forged = client.identity()
    name, token = next(iter(forged.items()))
    async with client.session.get(path, headers={name: token[:-2] + token[-1] + token[-2]}) as response:
        assert response.status == 401


@pytest.mark.parametrize("removal", ["deletion", "erasure"])
async def test_what_another_process_removes_is_gone_here(
    servers: Servers, broker: Broker, deps: Deps, studio: Studio, removal: str
) -> None:
    event = await kept(deps, studio, CONTENT)
    buses = [await connect(servers.nats("storage"), "test") for _ in range(2)]
    processes = [replace(deps, known=Known(telling(bus, REMOVED))) for bus in buses]
    for process, bus in zip(processes, buses, strict=True):
        await process.known.listen(bus, REMOVED)
        await bus.client.flush()
    removing, reading = processes
    path = f"/internal/generations/{event.generation_id}/audio"
    async with serving(reading) as http:
        reader = Client(http, studio.org_id)
        assert (await reader.get(path)).status == 200
        assert reading.known.get(studio.org_id, path) is not None
        if removal == "deletion":
            await usecases.remove_audio(removing, delivery(studio.deletion(event)))
        else:
            await removing.known.removed(studio.org_id)

        async def is_forgotten() -> bool:
            return reading.known.get(studio.org_id, path) is None

        # Sooner than by itself.
        await eventually(is_forgotten, within=2, what="the end of what was removed")
        if removal == "deletion":
            assert (await reader.get(path)).status == 404
    for bus in buses:
        await bus.close()


async def test_bytes_that_are_not_at_hand_are_fetched(deps: Deps, studio: Studio, client: Client) -> None:
    event = await kept(deps, studio, CONTENT)
    path = f"/internal/generations/{event.generation_id}/audio"
    for known, held in product((True, False), repeat=2):
        assert (await client.get(path)).body == CONTENT
        if not known:
            deps.known.forget_all()
        if not held:
            deps.small.forget(event.object_key)
        assert (await client.get(path)).body == CONTENT
    assert (await client.get(f"/internal/generations/{new_id()}/audio")).status == 404
