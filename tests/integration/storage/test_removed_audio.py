"""Audio goes with its generation, and samples with their voice: before, after and while they come."""

from __future__ import annotations

import asyncio
from functools import partial

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioRejected, AudioStored, MediaDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from services.storage import usecases
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


async def test_a_deleted_generation_takes_its_audio_with_it(
    servers: Servers, deps: Deps, studio: Studio, ledger: Ledger, broker: Broker, client: Client
) -> None:
    event = await kept(deps, studio, b"x" * 1000)
    # The generation may not know of the object that its last try left.
    other = await studio.upload(b"another try", generation_id=event.generation_id)
    async with consuming(servers, deps):
        event_id = await broker.publish(studio.deletion(event, [other.object_key]))
        await broker.publish(studio.deletion(event, [other.object_key]), event_id=event_id)
        (gone,) = await eventually(partial(ledger.events, AudioDeleted))
    assert (gone.generation_id, gone.size_bytes) == (event.generation_id, 1000)
    assert not await studio.objects.exists(event.object_key)
    assert not await studio.objects.exists(other.object_key)
    assert await ledger.count("audio_tracks") == await ledger.count("audio_alignments") == 0
    assert (await client.get(f"/internal/generations/{event.generation_id}/audio")).status == 404


async def test_audio_that_comes_after_its_generation_is_deleted_goes_too(
    servers: Servers, deps: Deps, studio: Studio, ledger: Ledger, broker: Broker
) -> None:
    event = await studio.upload()
    async with consuming(servers, deps):
        await broker.publish(studio.deletion(event, []))
        await eventually(partial(ledger.events, AudioDeleted))
        await broker.publish(event)

        async def gone() -> bool:
            return not await studio.objects.exists(event.object_key)

        await eventually(gone, what="the late object's end")
        await eventually(partial(broker.is_idle, "EVT_GENERATION", usecases.KEEP_AUDIO))
    assert await ledger.events(AudioStored) == await ledger.events(AudioRejected) == []
    assert await ledger.count("audio_tracks") == 0
    # And again, now that not even the object is there.
    await usecases.keep_audio(deps, delivery(event))
    assert await ledger.events(AudioRejected) == []


async def test_keeping_and_deleting_at_once_leaves_nothing(deps: Deps, studio: Studio, ledger: Ledger) -> None:
    rendered = [await studio.upload(b"race %d" % number) for number in range(40)]
    await asyncio.gather(
        *(usecases.keep_audio(deps, delivery(event)) for event in rendered),
        *(usecases.remove_audio(deps, delivery(studio.deletion(event, []))) for event in rendered),
    )
    assert await ledger.count("audio_tracks") == 0
    assert [event for event in rendered if await studio.objects.exists(event.object_key)] == []
    assert await ledger.events(AudioRejected) == []
    assert len(await ledger.events(AudioDeleted)) == 40


async def test_the_objects_of_a_deleted_voice_go_once(
    servers: Servers, deps: Deps, studio: Studio, ledger: Ledger, broker: Broker
) -> None:
    voice = str(new_id())
    keys = [f"voices/orgs/{studio.org_id}/{voice}", f"voices/orgs/{studio.org_id}/{voice}/preview"]
    await studio.objects.put(keys[0], b"sample", "audio/wav")
    event = VoiceDeleted(voice_id=voice, org_id=str(studio.org_id), object_keys=keys)
    async with consuming(servers, deps):
        event_id = await broker.publish(event)
        (gone,) = await eventually(partial(ledger.events, MediaDeleted))
        await broker.publish(event, event_id=event_id)
        await eventually(partial(broker.is_idle, "EVT_VOICE", usecases.REMOVE_VOICE_OBJECTS))
    assert (gone.owner_id, gone.owner_type) == (voice, "voice")
    assert not await studio.objects.exists(keys[0])
    assert len(await ledger.events(MediaDeleted)) == 1
