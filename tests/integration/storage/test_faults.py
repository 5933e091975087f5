"""The object store is slow, full, down or fails at random: nothing is said to be stored that is not."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioRejected, AudioStored
from libs.ids import new_id
from libs.objectstore import ObjectMissing, ObjectReader, ObjectStore, ObjectStoreUnavailable
from libs.objectstore.store import PART_BYTES
from services.storage.adapters.probing import ProbeLimits, Prober
from services.storage.consumers import CONSUMERS
from services.storage.domain.content import MediaKind
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Ledger, Studio, consuming, impatient, kept, serving
from tests.support import media
from tests.support.broker import Broker
from tests.support.faulty_s3 import Choice, Fault, FaultyS3, always, faulty_s3, healthy, sometimes
from tests.support.polling import eventually
from tests.support.servers import Servers

CONTENT = b"audio" * 1000
DURABLE = "storage-keep_audio"


@pytest.fixture
async def faulty(servers: Servers) -> AsyncIterator[FaultyS3]:
    async with faulty_s3(lambda: servers.object_store_address.endpoint) as proxy:
        yield proxy


@pytest.fixture
async def through(servers: Servers, faulty: FaultyS3) -> AsyncIterator[ObjectStore]:
    """The object store as it is reached through its faults."""
    store = ObjectStore(faulty.before(servers.object_store_address))
    yield store
    await store.close()


def key() -> str:
    return f"generations/orgs/{new_id()}/{new_id()}/a.mp3"


async def parts(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 2**20):
        yield bytes(min(2**20, size - start))


async def test_through_the_proxy_all_is_as_it_is_without(objects: ObjectStore, through: ObjectStore) -> None:
    one = key()
    sha256 = await through.put(one, CONTENT, "audio/mpeg")
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert await objects.get(one) == await through.get(one) == CONTENT
    stored = await through.put_parts(one, parts(PART_BYTES + 5), "audio/mpeg")
    assert await objects.digest(one) == (stored.sha256, PART_BYTES + 5)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.FULL, Fault.RESET], ids=lambda fault: fault.value)
async def test_what_could_not_be_written_is_said_not_to_be_there(
    objects: ObjectStore, through: ObjectStore, faulty: FaultyS3, fault: Fault
) -> None:
    one, large = key(), key()
    faulty.choose = always(fault, "PUT")
    with pytest.raises(ObjectStoreUnavailable):
        await through.put(one, CONTENT, "audio/mpeg")
    with pytest.raises(ObjectStoreUnavailable):
        await through.put_parts(large, parts(PART_BYTES + 5), "audio/mpeg")
    assert not await objects.exists(one)
    assert not await objects.exists(large)
    faulty.choose = healthy
    await through.put(one, CONTENT, "audio/mpeg")
    assert await objects.get(one) == CONTENT


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.BROKEN, Fault.RESET, Fault.CUT], ids=lambda fault: fault.value)
async def test_what_could_not_be_read_is_not_taken_for_missing_or_whole(
    objects: ObjectStore, through: ObjectStore, faulty: FaultyS3, fault: Fault
) -> None:
    one = key()
    await objects.put(one, CONTENT, "audio/mpeg")
    faulty.choose = always(fault)
    with pytest.raises(ObjectStoreUnavailable):
        await through.get(one)
    with pytest.raises(ObjectStoreUnavailable):
        await through.digest(one)
    with pytest.raises(ObjectStoreUnavailable):
        await through.list_page("generations/")
    if fault is not Fault.CUT:  # the answer to it has no body
        with pytest.raises(ObjectStoreUnavailable):
            await through.ensure_bucket()
    faulty.choose = healthy
    assert await through.get(one) == CONTENT
    with pytest.raises(ObjectMissing):
        await through.get(key())


async def announced(studio: Studio, broker: Broker, count: int) -> set[str]:
    """Audio that workers have uploaded and told of."""
    events = [await studio.upload(CONTENT + bytes([number])) for number in range(count)]
    for event in events:
        await broker.publish(event)
    return {event.generation_id for event in events}


async def stored(ledger: Ledger) -> set[str]:
    return {event.generation_id for event in await ledger.events(AudioStored)}


@pytest.mark.parametrize(
    "choose", [always(Fault.BUSY), always(Fault.RESET), always(Fault.CUT)], ids=["busy", "down", "cut"]
)
async def test_nothing_is_stored_while_the_object_store_fails_and_all_is_afterwards(
    servers: Servers,
    deps: Deps,
    studio: Studio,
    broker: Broker,
    ledger: Ledger,
    faulty: FaultyS3,
    through: ObjectStore,
    choose: Choice,
) -> None:
    faulty.choose = choose
    async with consuming(servers, replace(deps, objects=through), impatient(CONSUMERS)):
        made = await announced(studio, broker, 5)

        async def tried_more_often_than_what_is_wrong_would_be() -> bool:
            return faulty.failed >= 10 * len(made)

        await eventually(tried_more_often_than_what_is_wrong_would_be, within=30, what="many tries")
        assert await stored(ledger) == set()
        assert await ledger.count("audio_tracks") == 0
        faulty.choose = healthy

        async def all_stored() -> bool:
            return await stored(ledger) == made

        await eventually(all_stored, within=30, what="all audio")
    assert await ledger.events(AudioRejected) == []
    assert await ledger.count("audio_tracks") == len(made)


@dataclass
class Moody(ObjectStore):
    """The object store, which answers with these errors first."""

    inner: ObjectStore
    errors: list[Exception]

    async def digest(self, key: str) -> tuple[str, int]:
        if self.errors:
            raise self.errors.pop(0)
        return await self.inner.digest(key)


async def test_the_tries_of_an_outage_are_not_those_of_what_is_wrong_after_it(
    servers: Servers, deps: Deps, studio: Studio, broker: Broker, ledger: Ledger
) -> None:
    outage = [ObjectStoreUnavailable("away") for _ in range(20)]
    objects = Moody(deps.objects, [*outage, ObjectMissing(), ObjectMissing()])
    async with consuming(servers, replace(deps, objects=objects), impatient(CONSUMERS)):
        made = await announced(studio, broker, 1)

        async def all_stored() -> bool:
            assert await ledger.events(AudioRejected) == []
            return await stored(ledger) == made

        await eventually(all_stored, within=20, what="the audio, after an outage and some trouble")
    assert objects.errors == []


@dataclass
class Slow(ObjectStore):
    """The object store, whose answers take their time."""

    inner: ObjectStore
    seconds: float

    @asynccontextmanager
    async def open(self, key: str, conditions: Mapping[str, str], *, head: bool = False) -> AsyncIterator[ObjectReader]:
        await asyncio.sleep(self.seconds)
        async with self.inner.open(key, conditions, head=head) as reader:
            yield reader


async def test_what_a_slow_object_store_takes_is_not_held_against_a_file(objects: ObjectStore) -> None:
    content = media.tone(seconds=150)
    one, limits = key(), ProbeLimits(wall_seconds=3.0)
    await objects.put(one, content, "audio/wav")
    begun = time.monotonic()
    found = await Prober(Slow(objects, 0.8), limits=limits).probe(one, len(content), MediaKind.AUDIO, "audio/wav")
    assert found.duration_seconds == pytest.approx(150, abs=0.1)
    assert time.monotonic() - begun > limits.wall_seconds + 2.0, "it was not slow, so nothing was shown"


async def test_a_fifth_of_all_requests_failing_delays_and_loses_nothing(
    servers: Servers,
    deps: Deps,
    studio: Studio,
    broker: Broker,
    ledger: Ledger,
    faulty: FaultyS3,
    through: ObjectStore,
) -> None:
    faulty.choose = sometimes(0.2, seed=7)
    async with consuming(servers, replace(deps, objects=through), impatient(CONSUMERS)):
        made = await announced(studio, broker, 40)

        async def all_stored() -> bool:
            return await stored(ledger) == made

        await eventually(all_stored, within=30, what="all audio")
    assert faulty.failed > 0
    assert len(await ledger.events(AudioStored)) == len(made)
    assert await ledger.events(AudioRejected) == []


async def test_a_reader_is_told_to_come_again_and_gets_it_then(
    deps: Deps, studio: Studio, faulty: FaultyS3, through: ObjectStore
) -> None:
    event = await kept(deps, studio, CONTENT)
    path = f"/internal/generations/{event.generation_id}/audio"
    async with serving(replace(deps, objects=through)) as http:
        reader = Client(http, studio.org_id)
        faulty.choose = always(Fault.BUSY)
        answer = await reader.get(path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        faulty.choose = healthy
        faulty.slow_seconds = 0.3
        answers = await asyncio.gather(*(reader.get(path) for _ in range(10)))
        assert {(answer.status, answer.body) for answer in answers} == {(200, CONTENT)}
