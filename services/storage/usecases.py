"""What becomes of audio and of voices' objects: kept once it is verified, removed with its owner."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered, GenerationDeleted
from libs.contracts.antiphon.storage.v1.events_pb2 import (
    AudioDeleted,
    AudioRejected,
    AudioStored,
    MediaDeleted,
    OrganizationErased,
)
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.database import Database
from libs.ids import new_id, parse_id
from libs.messaging import Delivery, Permanent, inbox
from libs.objectstore import ObjectMissing, ObjectStore
from libs.outbox.erasing import erase_rows, tell_erased
from libs.web import Caller
from services.storage import store
from services.storage.domain import audio as domain
from services.storage.domain.keys import ForeignObject, organization_prefixes, require_own

# The durables of the consumers that call these use cases: what the inbox remembers is theirs.
KEEP_AUDIO = "storage-keep_audio"
REMOVE_AUDIO = "storage-remove_audio"
REMOVE_VOICE_OBJECTS = "storage-remove_voice_objects"

ERASE_ORGANIZATION = "storage-erase_organization"
ERASED = ("audio_alignments", "audio_tracks", "deleted_generations")
"""Every table with rows of organisations, those that refer to others first."""
LISTED_AT_ONCE, ERASED_AT_ONCE = 1000, 16

ARRIVAL_SECONDS = 5.0
"""How long a request waits for the news of audio that was made: the way of an event, and a restart of this service."""
ARRIVAL_LOOKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25)
"""After how many seconds it looks again, the last of them from then on."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with."""

    database: Database
    objects: ObjectStore
    clock: Callable[[], datetime]
    arrival_seconds: float = ARRIVAL_SECONDS


async def find_audio(
    deps: Deps,
    caller: Caller,
    generation_id: UUID,
    find: Callable[[AsyncSession, UUID, UUID], Awaitable[Found | None]],
    *,
    made: bool,
) -> Found:
    """Return what `find` finds of a generation of the caller's organisation.

    What is `made`, as the generation service knows that it is, may still be on its way here: it is waited for, unless
    it was deleted meanwhile. Raises AudioNotFound, AudioOnItsWay.
    """
    deadline = asyncio.get_running_loop().time() + deps.arrival_seconds
    for number in itertools.count():
        async with deps.database.transaction(caller.org_id) as session:
            found = await find(session, caller.org_id, generation_id)
            if found is not None:
                return found
            if not made or await store.is_deleted(session, generation_id):
                raise domain.AudioNotFound
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            break
        await asyncio.sleep(min(left, ARRIVAL_LOOKS[min(number, len(ARRIVAL_LOOKS) - 1)]))
    raise domain.AudioOnItsWay


async def keep_audio(deps: Deps, delivery: Delivery[AudioRendered]) -> None:
    """Verify what a worker uploaded and write track and alignment, or reject it for good.

    Audio of a generation that was deleted meanwhile, or that has another track, is removed instead. Raises
    ObjectMissing while the object is not there.
    """
    audio = _announced(delivery.event)
    try:
        domain.require_keepable(audio)
        await _verify(deps, audio)
        if audio.alignment_key is not None:
            audio = await _with_alignment(deps, audio)
        is_kept = await _record(deps, audio, delivery.event_id)
    except domain.AudioRefused as refusal:
        await reject_audio(deps, delivery, str(refusal))
        return
    except ObjectMissing:
        if await _is_deleted(deps, audio):
            return
        raise
    if not is_kept:
        await _discard(deps, audio)


async def _discard(deps: Deps, audio: domain.RenderedAudio) -> None:
    """Delete what nothing will ever refer to."""
    for key in (audio.object_key, audio.alignment_key):
        if key is not None:
            await deps.objects.delete(key)


async def _verify(deps: Deps, audio: domain.RenderedAudio) -> None:
    """Raise AudioRefused unless the object is what was announced: by what the store computed of it, or by reading it.

    The worker's SHA-256 and MD5 are of the same bytes, so that what has the one has the other.
    """
    if audio.md5 and await deps.objects.is_unchanged(audio.object_key, audio.md5, audio.size_bytes):
        return
    domain.verify_upload(audio, *await deps.objects.digest(audio.object_key))


async def _with_alignment(deps: Deps, audio: domain.RenderedAudio) -> domain.RenderedAudio:
    """Return what was announced with its text, once the alignment that lies beside the audio is found right."""
    assert audio.alignment_key is not None
    sent = (await read_alignment(deps, audio.alignment_key)).sent
    await asyncio.to_thread(domain.require_alignment, sent, audio.duration_seconds)
    return replace(audio, text=sent.text)


async def read_alignment(deps: Deps, key: str) -> domain.Alignment:
    """Return the alignment that an object holds. Raises ObjectMissing, ObjectStoreUnavailable, AudioRefused."""
    content = await deps.objects.get(key)
    try:
        return await asyncio.to_thread(_alignment, content)
    except (ValueError, KeyError, TypeError) as error:
        raise domain.AudioRefused("the alignment is not what a worker writes") from error


def _alignment(content: bytes) -> domain.Alignment:
    document = orjson.loads(content)
    normalized = document["normalized"]
    return domain.Alignment(
        sent=domain.Timeline(document["text"], document["start_times"], document["end_times"]),
        normalized=domain.Timeline(normalized["text"], normalized["start_times"], normalized["end_times"])
        if normalized
        else None,
        language=document["language"],
        is_markup=document["input_type"] == "ssml",
    )


async def _record(deps: Deps, audio: domain.RenderedAudio, event_id: str) -> bool:
    """Write track, alignment and event in one transaction; False when nothing will ever refer to the object."""
    now = deps.clock()
    track_id = new_id()
    async with deps.database.transaction(audio.org_id, holding=store.locking(audio.generation_id)) as session:
        if await store.insert_track(session, audio, KEEP_AUDIO, event_id, track_id=track_id, now=now):
            if not audio.is_completed:
                outbox.add(session, _stored(audio, track_id, now))
            return True
        if await store.is_deleted(session, audio.generation_id):
            return False
        # Told before, or spoken twice: then the first audio stays, and this one goes if it is another.
        track = await store.get_track(session, audio.org_id, audio.generation_id)
        return track is None or track.object_key == audio.object_key


async def _is_deleted(deps: Deps, audio: domain.RenderedAudio) -> bool:
    async with deps.database.transaction(audio.org_id) as session:
        return await store.is_deleted(session, audio.generation_id)


def _stored(audio: domain.RenderedAudio, track_id: UUID, now: datetime) -> AudioStored:
    return AudioStored(
        generation_id=str(audio.generation_id),
        org_id=str(audio.org_id),
        track_id=str(track_id),
        object_key=audio.object_key,
        sha256=audio.sha256,
        size_bytes=audio.size_bytes,
        duration_seconds=audio.duration_seconds,
        stored_at=now,
    )


async def reject_audio(deps: Deps, delivery: Delivery[AudioRendered], reason: str) -> None:
    """Tell, once, that the audio of a generation will never be served; `reason` is for the client too.

    A generation that was deleted or has audio already hears nothing.
    """
    event = delivery.event
    org_id, generation_id = parse_id(event.org_id), parse_id(event.generation_id)
    if org_id is None or generation_id is None:
        # There is nobody to tell; the dead letter says it to operators.
        return
    now = deps.clock()
    async with deps.database.transaction(org_id, holding=store.locking(generation_id)) as session:
        if await store.is_deleted(session, generation_id) or await store.get_track(session, org_id, generation_id):
            return
        if await inbox.is_new(session, KEEP_AUDIO, delivery.event_id):
            outbox.add(
                session,
                AudioRejected(
                    generation_id=event.generation_id,
                    org_id=event.org_id,
                    reason=reason,
                    rejected_at=now,
                    object_key=event.object_key,
                ),
            )


async def remove_audio(deps: Deps, delivery: Delivery[GenerationDeleted]) -> None:
    """Remove the track, then the objects of a deleted generation, and tell when they are gone.

    The row goes first, so that nobody is promised audio that is not there; the tombstone keeps the objects'
    keys until all are gone, and keeps a late upload from being kept.
    """
    event = delivery.event
    org_id = _id(event.org_id)
    _require_own("generations", org_id, event.object_keys)
    # What was deleted before audio was shared goes under its own id.
    audio_id = event.audio_id if event.HasField("audio_id") else event.generation_id
    if not audio_id:
        return
    generation_id = _id(audio_id)
    async with deps.database.transaction(org_id, holding=store.locking(generation_id)) as session:
        tombstone = await store.bury_generation(session, org_id, generation_id, event.object_keys, now=deps.clock())
    for key in tombstone.object_keys:
        await deps.objects.delete(key)
    async with deps.database.transaction(org_id) as session:
        if await inbox.is_new(session, REMOVE_AUDIO, delivery.event_id):
            outbox.add(
                session,
                AudioDeleted(
                    # As AudioStored told of it, whoever had it last.
                    generation_id=str(generation_id),
                    org_id=event.org_id,
                    size_bytes=tombstone.size_bytes,
                    deleted_at=deps.clock(),
                ),
            )


async def remove_voice_objects(deps: Deps, delivery: Delivery[VoiceDeleted]) -> None:
    """Delete the objects of a deleted custom voice and tell, once, when they are gone."""
    event = delivery.event
    org_id = _id(event.org_id)
    _require_own("voices", org_id, event.object_keys)
    for key in event.object_keys:
        await deps.objects.delete(key)
    async with deps.database.transaction(org_id) as session:
        if await inbox.is_new(session, REMOVE_VOICE_OBJECTS, delivery.event_id):
            outbox.add(
                session,
                MediaDeleted(owner_id=event.voice_id, org_id=event.org_id, owner_type="voice", deleted_at=deps.clock()),
            )


def _announced(event: AudioRendered) -> domain.RenderedAudio:
    return domain.RenderedAudio(
        generation_id=_id(event.generation_id),
        org_id=_id(event.org_id),
        object_key=event.object_key,
        text=event.text,
        duration_seconds=event.duration_seconds,
        format=event.format,
        content_type=event.content_type,
        size_bytes=event.size_bytes,
        sha256=event.sha256,
        sample_rate=event.sample_rate,
        start_times=event.alignment.start_times,
        end_times=event.alignment.end_times,
        model_id=event.model_id,
        language=event.language or "en-US",
        input_type=event.input_type or "text",
        alignment_key=event.alignment_key or None,
        md5=event.md5,
        is_completed=event.completed,
        normalized=domain.Timeline(
            event.normalized.text, event.normalized.alignment.start_times, event.normalized.alignment.end_times
        )
        if event.HasField("normalized")
        else None,
    )


def _id(text: str) -> UUID:
    parsed = parse_id(text)
    if parsed is None:
        raise Permanent("the event carries an id that is not a UUID")
    return parsed


def _require_own(kind: str, org_id: UUID, keys: Iterable[str]) -> None:
    try:
        require_own(kind, org_id, keys)
    except ForeignObject as error:
        raise Permanent(str(error)) from error


async def erase_organization(deps: Deps, delivery: Delivery[OrganizationErasureRequested]) -> None:
    """Delete all that is kept here of an organisation, and tell how much it was."""
    org_id = UUID(delivery.event.org_id)
    counts = await erase_rows(deps.database, org_id, ERASED)
    counts["objects"] = await _erase_objects(deps, org_id)
    await tell_erased(deps.database, delivery, ERASE_ORGANIZATION, counts, OrganizationErased, deps.clock())


async def _erase_objects(deps: Deps, org_id: UUID) -> int:
    """Delete what lies under an organisation's prefixes, whoever made it; return how many objects it was."""
    erased = 0
    for prefix in organization_prefixes(org_id):
        while keys := await deps.objects.list_keys(prefix, LISTED_AT_ONCE):
            for start in range(0, len(keys), ERASED_AT_ONCE):
                await asyncio.gather(*(deps.objects.delete(key) for key in keys[start : start + ERASED_AT_ONCE]))
            erased += len(keys)
    return erased
