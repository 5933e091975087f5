"""Audio is kept once it is verified: delivered once, twice and late."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioRejected, AudioStored
from libs.messaging import Permanent
from libs.messaging.topology import work_durable
from libs.objectstore import ObjectMissing, ObjectStore, ObjectStoreUnavailable
from services.storage import usecases
from services.storage.consumers import CONSUMERS
from services.storage.usecases import Deps
from tests.integration.storage.conftest import (
    Client,
    Ledger,
    Studio,
    consuming,
    delivery,
    kept,
)
from tests.support.broker import Broker
from tests.support.polling import eventually
from tests.support.servers import Servers


def test_the_inbox_is_kept_under_the_names_of_the_durables() -> None:
    # Removing what is removed already tells nobody anything, so nothing of it is remembered.
    remembered = [one for one in CONSUMERS.works if one.name != "remove_abandoned"]
    assert {work_durable(CONSUMERS.group, one) for one in remembered} == {
        usecases.KEEP_AUDIO,
        usecases.REMOVE_AUDIO,
        usecases.EXPIRE_AUDIO,
        usecases.REMOVE_VOICE_OBJECTS,
        usecases.REMOVE_MEDIA,
        usecases.ERASE_ORGANIZATION,
        "storage-export_data",
    }


async def test_what_a_worker_uploaded_can_be_read_when_it_is_stored(
    servers: Servers, deps: Deps, studio: Studio, ledger: Ledger, broker: Broker, client: Client
) -> None:
    event = await studio.upload(b"sound" * 1000)
    async with consuming(servers, deps):
        await broker.publish(event)
        (stored,) = await eventually(partial(ledger.events, AudioStored))
    assert (stored.generation_id, stored.object_key) == (event.generation_id, event.object_key)
    assert (stored.sha256, stored.size_bytes) == (event.sha256, event.size_bytes)
    assert stored.duration_seconds == event.duration_seconds
    assert (await client.get(f"/internal/generations/{event.generation_id}/audio")).body == b"sound" * 1000
    assert (await client.get(f"/internal/generations/{event.generation_id}/alignment")).status == 200


async def test_an_event_delivered_again_changes_nothing(
    servers: Servers, deps: Deps, studio: Studio, ledger: Ledger, broker: Broker
) -> None:
    event, last = await studio.upload(b"one"), await studio.upload(b"two")
    async with consuming(servers, deps):
        event_id = await broker.publish(event)
        for _ in range(9):
            await broker.publish(event, event_id=event_id)
        # Told anew, under another id, it is still the same audio.
        await broker.publish(event)
        await broker.publish(last)

        async def both() -> bool:
            return len(await ledger.events(AudioStored)) >= 2

        await eventually(both)
        await eventually(partial(broker.is_idle, "EVT_GENERATION", usecases.KEEP_AUDIO))
    assert sorted(one.generation_id for one in await ledger.events(AudioStored)) == sorted(
        [event.generation_id, last.generation_id]
    )
    assert await ledger.count("audio_tracks") == await ledger.count("audio_alignments") == 2
    assert await studio.objects.get(event.object_key) == b"one"


async def test_a_generation_spoken_twice_keeps_its_first_audio(deps: Deps, studio: Studio, ledger: Ledger) -> None:
    first = await kept(deps, studio, b"first")
    second = await studio.upload(b"second", generation_id=first.generation_id)
    await usecases.keep_audio(deps, delivery(second))
    assert len(await ledger.events(AudioStored)) == 1
    assert await studio.objects.get(first.object_key) == b"first"
    assert not await studio.objects.exists(second.object_key)


async def test_audio_that_arrives_late_is_kept(
    servers: Servers, deps: Deps, studio: Studio, ledger: Ledger, broker: Broker
) -> None:
    event = studio.announce(b"slow upload")
    with pytest.raises(ObjectMissing):
        await usecases.keep_audio(deps, delivery(event))
    assert await ledger.events(AudioRejected) == []
    async with consuming(servers, deps):
        await broker.publish(event)
        await studio.objects.put(event.object_key, b"slow upload", "audio/mpeg")
        await eventually(partial(ledger.events, AudioStored))


async def test_while_the_object_store_is_away_nothing_is_said(
    deps: Deps, studio: Studio, ledger: Ledger, unreachable: ObjectStore
) -> None:
    away = replace(deps, objects=unreachable)
    event = await studio.upload()
    came, gone = delivery(event), delivery(studio.deletion(event))
    with pytest.raises(ObjectStoreUnavailable):
        await usecases.keep_audio(away, came)
    assert await ledger.events(AudioStored) == await ledger.events(AudioRejected) == []
    await usecases.keep_audio(deps, came)
    with pytest.raises(ObjectStoreUnavailable):
        await usecases.remove_audio(away, gone)
    assert await ledger.events(AudioDeleted) == []
    await usecases.remove_audio(deps, gone)
    assert len(await ledger.events(AudioDeleted)) == 1
    assert not await studio.objects.exists(event.object_key)


async def test_an_event_without_proper_ids_is_nobodys(deps: Deps, studio: Studio) -> None:
    event = studio.announce(b"x")
    event.generation_id = "17"
    with pytest.raises(Permanent):
        await usecases.keep_audio(deps, delivery(event))
    await usecases.reject_audio(deps, delivery(event), "nobody hears this")
