"""Hits in speech say when they are heard, and come without it while storage is away."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from libs.contracts.antiphon.storage.v1.rpc_pb2 import SpokenTimes as Times
from libs.contracts.antiphon.storage.v1.rpc_pb2 import TimesReply, TimesRequest
from libs.ids import new_id
from libs.messaging import Delivery, connect
from libs.messaging.rpc import RpcServer
from services.embedding import consumers as handlers
from services.embedding.adapters.spoken import SpokenTimes
from services.embedding.usecases import Deps
from tests.integration.embedding_service.conftest import Client, completed, ready, serving
from tests.support.servers import Servers

SPOKEN = "Ships leave the harbour at dawn."


@asynccontextmanager
async def storage(servers: Servers, asked: list[TimesRequest]) -> AsyncIterator[None]:
    """Somebody who answers for storage: a character takes a tenth of a second; what is unknown has no times."""

    async def answer(request: TimesRequest) -> TimesReply:
        asked.append(request)
        return TimesReply(
            times=[
                Times(starts=[start / 10 for start in text.starts], ends=[end / 10 for end in text.ends])
                for text in request.texts
            ]
        )

    bus = await connect(servers.nats("storage"), "storage")
    server = RpcServer(bus, "storage", "times", TimesRequest, answer)
    await server.start()
    await bus.client.flush()
    try:
        yield
    finally:
        await server.stop()
        await bus.close()


@pytest.mark.usefixtures("broker")
async def test_a_hit_in_speech_says_when_it_is_heard(deps: Deps, client: Client, servers: Servers) -> None:
    audio_id = str(new_id())
    event = completed(client.org_id, SPOKEN)
    event.audio_id = audio_id
    voice = ready(client.org_id, "A voice for a harbour")
    await handlers.index_generation.handler(Delivery(event, str(new_id()), 1), deps)
    await handlers.index_voice.handler(Delivery(voice, str(new_id()), 1), deps)
    asked: list[TimesRequest] = []
    bus = await connect(servers.nats("embedding"), "embedding")
    try:
        async with serving(replace(deps, spoken=SpokenTimes(bus))) as session:
            asker = Client(session, client.org_id)
            async with storage(servers, asked):
                status, found = await asker.ask({"query": "harbour dawn"})
            assert (status, found["times_known"]) == (200, True)
            hits = {hit["source_id"]: hit for hit in found["items"]}
            assert hits[voice.voice_id]["spoken"] is None
            hit = hits[event.generation_id]
            assert hit["metadata"].keys() == {"voice_id", "voice_name"}
            assert hit["spoken"] == {
                "start_ms": 0,
                "end_ms": 100 * len(SPOKEN),
                "url": f"/v1/generations/{event.generation_id}/audio#t=0.000,3.200",
            }
            words = [(SPOKEN[mark["start"] : mark["end"]], mark["start_ms"]) for mark in hit["highlights"]]
            assert words == [("harbour", 1600), ("dawn", 2700)]
            (request,) = asked
            assert (request.org_id, [text.audio_id for text in request.texts]) == (str(client.org_id), [audio_id])
            # Nobody answers any more.
            begun = time.monotonic()
            status, found = await asker.ask({"query": "harbour dawn"})
            assert (status, found["times_known"], time.monotonic() - begun < 5) == (200, False, True)
            assert [hit["spoken"] for hit in found["items"]] == [None, None]
    finally:
        await bus.close()
