"""Audio of 10 MB through gateway and storage, against the object store itself."""

from __future__ import annotations

import time

import aiohttp
import asyncpg

from libs.objectstore import ObjectStore, ObjectStoreAddress
from tests.bench.gateway.stage import Stage
from tests.bench.harness import Row, row
from tests.support.api import Api

ROUNDS, EACH = 5, 8
WARM_UP = 5
LEAST_BYTES = 10_000_000
SENTENCE = "The river ran past the old stone house, and nobody who lived there ever asked where it was going. "
SENTENCES = 40


async def measure(stage: Stage) -> list[Row]:
    """Fetch one recording again and again, here and there in turn, one at a time."""
    async with Api(stage.stack.url, stage.stack.api_key) as api:
        track = await _speak(api)
    key, size = await _object(stage, track)
    if size < LEAST_BYTES:
        raise RuntimeError(f"the recording has only {size} bytes")
    environment = stage.stack.exports()
    address = ObjectStoreAddress(
        environment["ANTIPHON_S3_ENDPOINT"],
        environment["ANTIPHON_S3_REGION"],
        environment["ANTIPHON_S3_BUCKET"],
        environment["ANTIPHON_S3_ACCESS_KEY"],
        environment["ANTIPHON_S3_SECRET_KEY"],
    )
    store = ObjectStore(address)
    direct: list[float] = []
    through: list[float] = []
    async with aiohttp.ClientSession(stage.stack.url, headers=stage.key) as client:

        async def from_gateway() -> int:
            async with client.get(f"/v1/generations/{track}/audio") as response:
                response.raise_for_status()
                return sum([len(chunk) async for chunk in response.content.iter_any()])

        async def from_store() -> int:
            async with store.open(key, {}) as reader:
                return sum([len(chunk) async for chunk in reader.chunks])

        for _ in range(WARM_UP):
            assert await from_gateway() == await from_store() == size
        before = stage.gateway.memory_full_info().uss
        for _ in range(ROUNDS):
            for ask, rates in ((from_store, direct), (from_gateway, through)):
                begun = time.perf_counter()
                for _ in range(EACH):
                    assert await ask() == size
                rates.append(EACH * size / 2**20 / (time.perf_counter() - begun))
        after = stage.gateway.memory_full_info().uss
    await store.close()
    megabytes = round(size / 1e6)
    return [
        row(f"audio of {megabytes} MB, the object store itself", direct, "MB/s"),
        row("the same through the gateway", through, "MB/s", baseline=direct, at_least=0.8),
        row("the gateway's memory afterwards", [after / 2**20], "MB", baseline=[before / 2**20], at_most=1.1),
    ]


async def _speak(api: Api) -> str:
    voices = await api.get("/v1/voices", params={"language": "en-US", "category": "GENERAL"})
    fields = {"text": SENTENCE * SENTENCES, "voice_id": voices.json["items"][0]["id"], "format": "wav"}
    answer = await api.post("/v1/generations", json=fields, headers={"Prefer": "wait=60"})
    if answer.status != 201:
        raise RuntimeError(f"not completed: {answer.status} {answer.content[:300]!r}")
    return str(answer.json["id"])


async def _object(stage: Stage, generation_id: str) -> tuple[str, int]:
    url = stage.stack.exports()["ANTIPHON_POSTGRES_ADMIN_URL"]
    connection = await asyncpg.connect(url, database="antiphon_storage")
    try:
        query = "select object_key, size_bytes from audio_tracks where generation_id = $1::text::uuid"
        found = await connection.fetchrow(query, generation_id)
    finally:
        await connection.close()
    assert found is not None
    return found["object_key"], found["size_bytes"]
