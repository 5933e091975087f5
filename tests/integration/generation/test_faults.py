"""Workers whose object store fails: nothing is completed without its audio, and all of it is in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.objectstore import ObjectStore
from tests.integration.generation.conftest import World
from tests.integration.generation.texts import long_text
from tests.support.faulty_s3 import Choice, Fault, FaultyS3, always, faulty_s3, healthy, sometimes
from tests.support.polling import eventually
from tests.support.servers import Servers


@pytest.fixture
async def faulty(servers: Servers) -> AsyncIterator[FaultyS3]:
    async with faulty_s3(lambda: servers.object_store_address.endpoint) as proxy:
        yield proxy


@pytest.fixture
async def through(servers: Servers, faulty: FaultyS3) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(faulty.before(servers.object_store_address))
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("choose", "recovers"),
    [(always(Fault.FULL, "PUT"), True), (always(Fault.BUSY), True), (sometimes(0.2, seed=3), False)],
    ids=["full", "busy", "a fifth"],
)
async def test_what_cannot_be_uploaded_is_completed_later_and_never_falsely(
    world: World, faulty: FaultyS3, through: ObjectStore, choose: Choice, recovers: bool
) -> None:
    voice_id = await world.known_voice()
    wanted = [f"Sentence {number} of those." for number in range(6)] + [long_text(900)]
    faulty.choose = choose
    async with world.working(replace(world.worker, objects=through)):
        asked = await asyncio.gather(*(world.ask(one, voice_id) for one in wanted))
        if recovers:

            async def failed() -> bool:
                return faulty.failed >= len(wanted)

            await eventually(failed, within=20, what="uploads that fail")
            states = {(await world.get(one.id)).status for one in asked}
            assert states <= {"pending", "processing"}
            faulty.choose = healthy
        finished = [await world.until(one.id, within=40) for one in asked]
    assert {one.status for one in finished} == {"completed"}
    for one in finished:
        assert one.rendition_id is not None
        (told,) = await world.emitted(AudioRendered, one.rendition_id)
        assert await world.objects.digest(told.object_key) == (told.sha256, told.size_bytes)
