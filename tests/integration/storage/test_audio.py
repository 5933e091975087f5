"""Audio is kept once it is verified, and goes with its generation: delivered once, twice, late and in any order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioRejected, AudioStored, MediaDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Permanent
from libs.messaging.topology import DEAD_LETTERS, work_durable
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
    impatient,
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


@pytest.mark.parametrize("what", ["content", "size"])
async def test_another_object_than_announced_is_rejected_once(
    deps: Deps, studio: Studio, ledger: Ledger, client: Client, what: str
) -> None:
    event = studio.announce(b"what was spoken")
    await studio.objects.put(event.object_key, b"what was SPOKEN" if what == "content" else b"short", "audio/mpeg")
    came = delivery(event)
    await usecases.keep_audio(deps, came)
    await usecases.keep_audio(deps, came)
    (rejected,) = await ledger.events(AudioRejected)
    assert (rejected.generation_id, rejected.object_key) == (event.generation_id, event.object_key)
    assert ("SHA-256" if what == "content" else "5 bytes in the object store and not 15") in rejected.reason
    assert event.object_key not in rejected.reason
    assert await ledger.events(AudioStored) == []
    assert (await client.get(f"/internal/generations/{event.generation_id}/audio")).status == 404
    # What was rejected stays rejected, even if the right object lies there later.
    await studio.objects.put(event.object_key, b"what was spoken", "audio/mpeg")
    await usecases.keep_audio(deps, came)
    assert await ledger.count("audio_tracks") == 0


NAN, INFINITY = float("nan"), float("inf")
BAD_TIMES = {
    "too few starts": ([0.0, 0.1], [0.1, 0.2, 0.3], "one start and one end time"),
    "too many ends": ([0.0, 0.1, 0.2], [0.1, 0.2, 0.3, 0.3], "one start and one end time"),
    "no times": ([], [], "one start and one end time"),
    "end before start": ([0.0, 0.1, 0.2], [0.1, 0.05, 0.3], "ends before it starts"),
    "starts go back": ([0.0, 0.2, 0.1], [0.2, 0.2, 0.3], "not in order"),
    "before zero": ([-0.1, 0.1, 0.2], [0.1, 0.2, 0.3], "not in order"),
    "after the audio": ([0.0, 0.1, 0.2], [0.1, 0.2, 0.31], "ends after the audio"),
    "one end after the audio": ([0.0, 0.1, 0.2], [0.1, 9.0, 0.3], "ends after the audio"),
    "end is no number": ([0.0, 0.1, 0.2], [0.1, NAN, 0.3], "ends after the audio"),
    "start is no number": ([0.0, NAN, 0.2], [0.1, 0.2, 0.3], ""),
    "all are no numbers": ([NAN] * 3, [NAN] * 3, "ends after the audio"),
    "endless": ([0.0, 0.1, 0.2], [0.1, 0.2, INFINITY], "ends after the audio"),
}


@pytest.mark.parametrize("case", BAD_TIMES)
async def test_the_database_refuses_a_bad_alignment_and_it_is_rejected_at_once(
    deps: Deps, studio: Studio, ledger: Ledger, case: str
) -> None:
    starts, ends, reason = BAD_TIMES[case]
    event = await studio.upload(spoken="Hi!")
    event.duration_seconds = 0.3
    event.alignment.start_times[:] = starts
    event.alignment.end_times[:] = ends
    await usecases.keep_audio(deps, delivery(event))
    (rejected,) = await ledger.events(AudioRejected)
    assert reason in rejected.reason
    assert event.text not in rejected.reason
    assert await ledger.count("audio_tracks") == await ledger.count("audio_alignments") == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_seconds": 0.0},
        {"duration_seconds": -1.0},
        {"duration_seconds": NAN},
        {"duration_seconds": INFINITY},
        {"format": "../mp3"},
        {"content_type": "audio/mpeg\r\nx: y"},
        {"content_type": "text/html"},
        {"sample_rate": 0},
        {"text": "a\0c"},
    ],
)
async def test_a_bad_track_is_rejected_at_once(
    deps: Deps, studio: Studio, ledger: Ledger, changes: dict[str, object]
) -> None:
    event = await studio.upload(spoken="Hi!")
    for name, value in changes.items():
        setattr(event, name, value)
    await usecases.keep_audio(deps, delivery(event))
    assert len(await ledger.events(AudioRejected)) == 1
    assert await ledger.count("audio_tracks") == 0


async def test_an_object_of_another_organisation_is_neither_kept_nor_touched(
    deps: Deps, studio: Studio, ledger: Ledger
) -> None:
    victim = Studio(studio.objects, new_id())
    theirs = await victim.upload(b"theirs")
    event = studio.announce(b"theirs")
    event.object_key = theirs.object_key
    await usecases.keep_audio(deps, delivery(event))
    assert "not one of the organisation's" in (await ledger.events(AudioRejected))[0].reason
    with pytest.raises(Permanent):
        await usecases.remove_audio(deps, delivery(studio.deletion(event, [theirs.object_key])))
    with pytest.raises(Permanent):
        await usecases.remove_voice_objects(
            deps,
            delivery(
                VoiceDeleted(
                    voice_id=str(new_id()), org_id=str(studio.org_id), object_keys=[f"voices/orgs/{victim.org_id}/x"]
                )
            ),
        )
    assert await studio.objects.get(theirs.object_key) == b"theirs"


async def test_audio_that_never_arrives_is_given_up_with_a_dead_letter(
    servers: Servers, deps: Deps, studio: Studio, ledger: Ledger, broker: Broker
) -> None:
    event = studio.announce(b"never uploaded")
    async with consuming(servers, deps, impatient(CONSUMERS)):
        event_id = await broker.publish(event)
        (rejected,) = await eventually(partial(ledger.events, AudioRejected))
        letters = await broker.bus.jetstream.pull_subscribe(
            "dlq.storage-keep_audio.>",
            stream=DEAD_LETTERS,
            config=ConsumerConfig(deliver_policy=DeliverPolicy.LAST_PER_SUBJECT),
        )
        (letter,) = await letters.fetch(1, timeout=10)
    assert rejected.reason == "the audio could not be read back and recorded (ObjectMissing)"
    assert letter.headers is not None
    assert letter.headers["ce-id"] == str(event_id)


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


async def test_an_event_without_proper_ids_is_nobodys(deps: Deps, studio: Studio) -> None:
    event = studio.announce(b"x")
    event.generation_id = "17"
    with pytest.raises(Permanent):
        await usecases.keep_audio(deps, delivery(event))
    await usecases.reject_audio(deps, delivery(event), "nobody hears this")
