"""What clients can do with voices, and how everybody's voices come to be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated, VoiceDeleted, VoiceReady, VoiceSnapshot
from libs.database import Database
from libs.ids import SYSTEM_ORG, new_id
from libs.objectstore import ObjectStore, ObjectStoreUnavailable
from libs.speech.catalogue import SystemVoice
from libs.speech.encoding import Joiner, parse_output_format
from libs.speech.engine import RenderJob, SpeechEngine, UnknownEngineVoice, VoiceProfile
from libs.speech.espeak import EspeakEngine
from libs.speech.languages import profile_for_language
from libs.web import Caller
from services.voice import domain, store


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with."""

    database: Database
    objects: ObjectStore
    clock: Callable[[], datetime]


async def create_voice(deps: Deps, caller: Caller, wanted: domain.NewVoice, content: bytes) -> domain.Voice:
    """Make a custom voice of a recording: the object first, then its rows and events in one transaction.

    Raises LanguageNotSpoken, NotAudio, RecordingTooShort, VoiceNameTaken, ObjectStoreUnavailable.
    """
    profile = _profile(wanted.language)
    recording = domain.check_recording(content)
    now = deps.clock()
    voice = domain.custom_voice(
        wanted,
        # Others see by the id that it is new.
        voice_id=new_id(now),
        org_id=caller.org_id,
        engine=EspeakEngine.name,
        engine_settings=profile.to_settings(),
        now=now,
    )
    key = domain.object_key(voice.id, caller.org_id)
    sha256 = await deps.objects.put(key, content, "audio/wav")
    sample = store.Sample(
        id=new_id(),
        voice_id=voice.id,
        org_id=caller.org_id,
        object_key=key,
        content_type="audio/wav",
        size_bytes=len(content),
        sha256=sha256,
        recording=recording,
    )
    await _record(deps, caller, voice, sample)
    return voice


async def _record(deps: Deps, caller: Caller, voice: domain.Voice, sample: store.Sample) -> None:
    committing = False
    try:
        async with deps.database.transaction(caller.org_id) as session:
            await store.insert_voice(session, voice)
            await store.insert_sample(session, sample)
            _announce(session, [voice])
            committing = True
    except BaseException:
        # An interrupted commit may have succeeded, and its voice needs its audio; the sweep decides then.
        if not committing:
            with suppress(ObjectStoreUnavailable):
                await deps.objects.delete(sample.object_key)
        raise


async def delete_voice(database: Database, caller: Caller, voice_id: UUID, *, now: datetime) -> None:
    """Delete a custom voice of the caller's organisation; its objects follow by event.

    Raises VoiceNotFound for an unknown or foreign voice, SystemVoiceKept for everybody's.
    """
    async with database.transaction(caller.org_id) as session:
        voice = await store.lock_custom_voice(session, caller.org_id, voice_id)
        if voice is None:
            raise await _undeletable(session, caller, voice_id)
        keys = await store.list_object_keys(session, voice)
        await store.delete_voice(session, voice.id)
        outbox.add(
            session,
            VoiceDeleted(voice_id=str(voice.id), org_id=str(caller.org_id), object_keys=keys, deleted_at=now),
        )


async def _undeletable(session: AsyncSession, caller: Caller, voice_id: UUID) -> Exception:
    known = await store.get_voice(session, caller.org_id, voice_id)
    return domain.SystemVoiceKept() if known else domain.VoiceNotFound()


async def seed_system_voices(deps: Deps, engine: SpeechEngine, catalogue: Sequence[SystemVoice]) -> list[domain.Voice]:
    """Add or renew the voices that everybody has, each with a spoken preview; return those that changed.

    `engine` is started only when something is missing, and closed afterwards. Any number of processes
    may do this at once: one of them writes each voice and tells of it.
    """
    async with deps.database.transaction(SYSTEM_ORG) as session:
        known = await store.get_catalogue_fingerprints(session)
    missing = [(entry, domain.fingerprint(entry)) for entry in catalogue]
    missing = [(entry, wanted) for entry, wanted in missing if known.get(entry.id) != wanted]
    if not missing:
        return []
    await _keep_previews(deps.objects, engine, [entry for entry, _ in missing])
    now = deps.clock()
    rows = [(domain.system_voice(entry, engine=engine.name, now=now), wanted) for entry, wanted in missing]
    async with deps.database.transaction(SYSTEM_ORG) as session:
        changed = await store.save_system_voices(session, rows)
        _announce(session, changed)
    return changed


async def _keep_previews(objects: ObjectStore, engine: SpeechEngine, entries: Iterable[SystemVoice]) -> None:
    await engine.start()
    try:
        async with asyncio.TaskGroup() as group:
            for entry in entries:
                group.create_task(_keep_preview(objects, engine, entry))
    finally:
        await engine.close()


async def _keep_preview(objects: ObjectStore, engine: SpeechEngine, entry: SystemVoice) -> None:
    form = parse_output_format("mp3")
    spoken = await engine.render(RenderJob(entry.preview_text, entry.profile.to_settings(), form))
    joiner = Joiner(form, spoken.samples)
    audio = b"".join((joiner.head(), joiner.add(spoken.segment), joiner.finish()))
    await objects.put(domain.object_key(entry.id, None), audio, form.content_type)


def _announce(session: AsyncSession, voices: Iterable[domain.Voice]) -> None:
    """Tell that voices are ready, and first that they exist where they are new."""
    for voice in voices:
        ids = {"voice_id": str(voice.id), "org_id": str(voice.org_id or "")}
        if voice.revision == 1:
            outbox.add(session, VoiceCreated(**ids, variant=voice.variant, created_at=voice.created_at))
        outbox.add(session, VoiceReady(**ids, voice=_snapshot(voice), ready_at=voice.updated_at))


def _snapshot(voice: domain.Voice) -> VoiceSnapshot:
    return VoiceSnapshot(
        voice_id=str(voice.id),
        org_id=str(voice.org_id or ""),
        name=voice.name,
        description=voice.description or "",
        category=voice.category,
        language=voice.language,
        variant=voice.variant,
        engine=voice.engine,
        engine_settings=json.dumps(voice.engine_settings, sort_keys=True),
        revision=voice.revision,
    )


def _profile(language: str) -> VoiceProfile:
    try:
        return profile_for_language(language)
    except UnknownEngineVoice as error:
        raise domain.LanguageNotSpoken(language) from error
