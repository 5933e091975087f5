"""Audio that is not what was announced is rejected, once, and audio that never comes is given up."""

from __future__ import annotations

from functools import partial

import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioRejected, AudioStored
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Permanent
from libs.messaging.topology import DEAD_LETTERS
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
)
from tests.support.broker import Broker
from tests.support.polling import eventually
from tests.support.servers import Servers


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
