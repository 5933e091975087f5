"""What becomes of audio that a worker made: kept once it is verified, or rejected for good."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioRejected, AudioStored
from libs.ids import new_id, parse_id
from libs.messaging import Delivery, inbox
from libs.objectstore import ObjectMissing
from services.storage.domain import audio as domain
from services.storage.store import tombstones, tracks
from services.storage.usecases.deps import Deps
from services.storage.usecases.finding import read_alignment
from services.storage.usecases.naming import id_of

# The durables of the consumers that call these use cases: what the inbox remembers is theirs.
KEEP_AUDIO = "storage-keep_audio"


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


async def _record(deps: Deps, audio: domain.RenderedAudio, event_id: str) -> bool:
    """Write track, alignment and event in one transaction; False when nothing will ever refer to the object."""
    now = deps.clock()
    track_id = new_id()
    async with deps.database.transaction(audio.org_id, holding=tracks.locking(audio.generation_id)) as session:
        if await tracks.insert_track(session, audio, KEEP_AUDIO, event_id, track_id=track_id, now=now):
            if not audio.is_completed:
                outbox.add(session, _stored(audio, track_id, now))
            return True
        if await tombstones.is_deleted(session, audio.generation_id):
            return False
        # Told before, or spoken twice: then the first audio stays, and this one goes if it is another.
        track = await tracks.get_track(session, audio.org_id, audio.generation_id)
        return track is None or track.object_key == audio.object_key


async def _is_deleted(deps: Deps, audio: domain.RenderedAudio) -> bool:
    async with deps.database.transaction(audio.org_id) as session:
        return await tombstones.is_deleted(session, audio.generation_id)


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
    async with deps.database.transaction(org_id, holding=tracks.locking(generation_id)) as session:
        if await tombstones.is_deleted(session, generation_id) or await tracks.get_track(
            session, org_id, generation_id
        ):
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


def _announced(event: AudioRendered) -> domain.RenderedAudio:
    return domain.RenderedAudio(
        generation_id=id_of(event.generation_id),
        org_id=id_of(event.org_id),
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
