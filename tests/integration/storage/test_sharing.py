"""Audio that several generations have in common stays until the last of them goes."""

from __future__ import annotations

import pytest

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioRejected, AudioStored
from libs.ids import new_id
from libs.objectstore import ObjectMissing
from services.storage import usecases
from services.storage.usecases import Deps
from tests.integration.storage.conftest import Client, Ledger, Studio, delivery, kept


async def test_what_others_share_stays_and_the_last_one_takes_it_along(
    deps: Deps, studio: Studio, ledger: Ledger, client: Client
) -> None:
    event = await kept(deps, studio, b"shared" * 100)
    path = f"/internal/generations/{event.generation_id}/audio"
    # Even the first who asked for it goes without it, in whatever order and however often that is told.
    first = delivery(studio.deletion(event, [], audio_id=""))
    for _ in range(2):
        await usecases.remove_audio(deps, first)
    assert (await client.get(path)).body == b"shared" * 100
    assert await ledger.events(AudioDeleted) == []

    last = studio.deletion(event, audio_id=event.generation_id)
    last.generation_id = str(new_id())
    await usecases.remove_audio(deps, delivery(last))
    assert (await client.get(path)).status == 404
    assert not await studio.objects.exists(event.object_key)
    (gone,) = await ledger.events(AudioDeleted)
    assert (gone.generation_id, gone.size_bytes) == (event.generation_id, 600)


async def test_who_never_had_the_audio_cannot_keep_a_late_upload_from_being_kept(
    deps: Deps, studio: Studio, ledger: Ledger
) -> None:
    event = await studio.upload(b"late")
    await usecases.remove_audio(deps, delivery(studio.deletion(event, [], audio_id="")))
    await usecases.keep_audio(deps, delivery(event))
    assert len(await ledger.events(AudioStored)) == 1


async def test_what_was_deleted_before_audio_was_shared_takes_its_own_along(
    deps: Deps, studio: Studio, ledger: Ledger
) -> None:
    event = await kept(deps, studio, b"old")
    deletion = studio.deletion(event)
    assert not deletion.HasField("audio_id")
    await usecases.remove_audio(deps, delivery(deletion))
    assert len(await ledger.events(AudioDeleted)) == 1
    assert not await studio.objects.exists(event.object_key)


async def test_pieces_that_nobody_has_any_more_go_with_the_audio(deps: Deps, studio: Studio) -> None:
    event = await kept(deps, studio, b"of pieces")
    piece = f"generations/orgs/{studio.org_id}/chunks/{'ab' * 32}-{new_id().hex}"
    await studio.objects.put(piece, b"piece", "application/octet-stream")
    await usecases.remove_audio(
        deps, delivery(studio.deletion(event, [event.object_key, piece], audio_id=event.generation_id))
    )
    assert not await studio.objects.exists(piece)


@pytest.mark.parametrize("told_first", ["rendered", "deleted"])
async def test_a_long_text_leaves_no_object_behind(deps: Deps, studio: Studio, ledger: Ledger, told_first: str) -> None:
    event = await studio.upload_long(b"long")
    # Whoever deleted it knew of neither object yet.
    steps = [
        usecases.keep_audio(deps, delivery(event)),
        usecases.remove_audio(deps, delivery(studio.deletion(event, []))),
    ]
    for step in steps if told_first == "rendered" else reversed(steps):
        await step
    for key in (event.object_key, event.alignment_key):
        assert not await studio.objects.exists(key)
    assert await ledger.count("audio_tracks") == 0


async def test_of_two_tries_the_first_stays_with_its_alignment(deps: Deps, studio: Studio, ledger: Ledger) -> None:
    first = await studio.upload_long(b"first try")
    again = await studio.upload_long(b"second try")
    again.generation_id = first.generation_id
    for event in (first, again):
        await usecases.keep_audio(deps, delivery(event))
    assert await studio.objects.exists(first.alignment_key)
    for key in (again.object_key, again.alignment_key):
        assert not await studio.objects.exists(key)
    assert len(await ledger.events(AudioStored)) == 1
    assert await ledger.events(AudioRejected) == []


async def test_a_long_alignment_that_is_not_there_yet_is_waited_for(deps: Deps, studio: Studio, ledger: Ledger) -> None:
    event = await studio.upload_long()
    document = await studio.objects.get(event.alignment_key)
    await studio.objects.delete(event.alignment_key)
    with pytest.raises(ObjectMissing):
        await usecases.keep_audio(deps, delivery(event))
    assert await ledger.events(AudioRejected) == []
    await studio.objects.put(event.alignment_key, document, "application/json")
    await usecases.keep_audio(deps, delivery(event))
    assert len(await ledger.events(AudioStored)) == 1
