"""How an organisation's own voices are made, changed and deleted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.ids import new_id
from libs.messaging import Unavailable, inbox
from libs.objectstore import ObjectMissing, ObjectStoreUnavailable
from libs.speech.engine import UnknownEngineVoice
from libs.speech.espeak import EspeakEngine
from libs.speech.languages import profile_for_language
from libs.web import Caller, Once
from services.voice import domain, store
from services.voice.domain import recordings, uploads
from services.voice.usecases import telling
from services.voice.usecases.deps import Deps

CREATE_VOICE = "voice-create_voice"
"""What the inbox remembers of requests that are to be done once, so that a repetition makes nothing."""


class _MadeMeanwhile(Exception):
    """The same request has made its voice at the same time."""


async def create_voice(
    deps: Deps,
    caller: Caller,
    wanted: domain.NewVoice,
    files: Sequence[bytes],
    once: Once | None = None,
    upload_ids: Sequence[UUID] = (),
) -> domain.Voice:
    """Keep recordings and have them examined; what is to be done `once` and was done before gives the same voice.

    Those that were uploaded come behind the files. Raises UploadUnusable, RecordingTooLarge, Unavailable,
    LanguageNotSpoken, SameRecordingTwice, VoiceNameTaken, QuotaExceeded, ObjectStoreUnavailable, and VoiceNotFound
    for what was made once and deleted since.
    """
    made = await _made_before(deps, caller, once) if once is not None else None
    if made is not None:
        return made
    recorded = [*files, *await _uploaded(deps, caller, upload_ids, files)]
    try:
        return await _make(deps, caller, wanted, recorded, once)
    except _MadeMeanwhile:
        made = await _made_before(deps, caller, once) if once is not None else None
        if made is None:
            raise
        return made


async def _uploaded(deps: Deps, caller: Caller, upload_ids: Sequence[UUID], files: Sequence[bytes]) -> list[bytes]:
    """What uploads hold: the voice keeps recordings of its own, whatever becomes of the uploads."""
    if not upload_ids:
        return []
    uploads.require_few(upload_ids, files)
    found = await deps.find_uploads(caller.org_id, upload_ids)
    uploads.require_usable(upload_ids, found, files)
    try:
        return [await deps.objects.get(one.object_key) for one in found]
    except ObjectMissing:
        raise uploads.UploadUnusable("an upload was deleted just now") from None


async def _made_before(deps: Deps, caller: Caller, once: Once) -> domain.Voice | None:
    async with deps.database.transaction(caller.org_id) as session:
        if not await inbox.is_known(session, CREATE_VOICE, once.resource_id):
            return None
        voice = await store.get_voice(session, caller.org_id, once.resource_id)
    if voice is None:
        raise domain.VoiceNotFound
    return voice


async def _make(
    deps: Deps, caller: Caller, wanted: domain.NewVoice, files: Sequence[bytes], once: Once | None
) -> domain.Voice:
    """Keep the objects first, then all rows and events in one transaction."""
    settings = _plain_settings(wanted.language)
    now = deps.clock()
    # Others see by the id that it is new.
    voice_id = new_id(now) if once is None else once.resource_id
    samples = [_sample(content, number, voice_id, caller.org_id) for number, content in enumerate(files)]
    _require_unlike(samples)
    voice = domain.custom_voice(
        wanted,
        voice_id=voice_id,
        org_id=caller.org_id,
        first_key=samples[0].object_key,
        sample_count=len(samples),
        engine=EspeakEngine.name,
        engine_settings=settings,
        now=now,
    )
    await deps.quota.reserve(caller.org_id, voice_id)
    committing = False
    try:
        async with asyncio.TaskGroup() as group:
            for sample, content in zip(samples, files, strict=True):
                group.create_task(deps.objects.put(sample.object_key, content, sample.content_type))
        async with deps.database.transaction(caller.org_id) as session:
            if once is not None and not await inbox.is_new(session, CREATE_VOICE, once.resource_id):
                raise _MadeMeanwhile
            await store.insert_voice(session, voice)
            await store.insert_samples(session, samples)
            telling.created(session, voice)
            telling.submitted(session, voice, samples)
            committing = True
    except BaseException as error:
        # An interrupted commit may have succeeded, and its voice needs its audio; the sweep decides then.
        if not committing:
            await _remove(deps, samples)
            if not isinstance(error, _MadeMeanwhile):
                await _give_back(deps, caller, voice_id)
        if isinstance(error, BaseExceptionGroup):
            raise error.exceptions[0] from None
        raise
    return voice


async def _give_back(deps: Deps, caller: Caller, voice_id: UUID) -> None:
    # Analytics is away: what was set aside comes back by itself.
    with suppress(Unavailable):
        await deps.quota.release(caller.org_id, voice_id)


def _sample(content: bytes, number: int, voice_id: UUID, org_id: UUID) -> domain.Sample:
    sample_id = new_id()
    return domain.Sample(
        id=sample_id,
        voice_id=voice_id,
        org_id=org_id,
        object_key=domain.object_key(voice_id, org_id, sample_id),
        position=number,
        content_type=recordings.content_type(content),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _require_unlike(samples: Sequence[domain.Sample]) -> None:
    """The same recording twice is not twice as much speech."""
    seen: dict[str, int] = {}
    for number, sample in enumerate(samples, 1):
        if sample.sha256 in seen:
            raise domain.SameRecordingTwice(seen[sample.sha256], number)
        seen[sample.sha256] = number


async def _remove(deps: Deps, samples: Sequence[domain.Sample]) -> None:
    for sample in samples:
        with suppress(ObjectStoreUnavailable):
            await deps.objects.delete(sample.object_key)


# Any: the fields of a voice by their names.
async def update_voice(deps: Deps, caller: Caller, voice_id: UUID, fields: Mapping[str, Any]) -> domain.Voice:
    """Change name, description, category, language or `settings` of a custom voice; return it as it is now.

    Of the settings only those that are named change. In another language it is spoken plainly until it is matched
    again. Raises VoiceNotFound, SystemVoiceKept, LanguageNotSpoken, VoiceNameTaken.
    """
    async with deps.database.transaction(caller.org_id) as session:
        known = await _lock(session, caller, voice_id)
        wanted = replace(known, **fields)
        if "settings" in fields:
            wanted = replace(wanted, settings=domain.speaking_settings(known.settings, fields["settings"]))
        if wanted.language != known.language:
            wanted = _in_its_language(wanted)
        if wanted == known:
            return known
        voice = await store.update_voice(session, replace(wanted, revision=known.revision + 1))
        if voice.status is domain.Status.READY:
            telling.updated(session, voice)
        if voice.submitted > known.submitted:
            telling.submitted(session, voice, await store.list_samples(session, voice_id))
    return voice


def _in_its_language(voice: domain.Voice) -> domain.Voice:
    """The voice as its new language is spoken, to be matched anew; what was rejected stays so."""
    plain = replace(voice, engine_settings=_plain_settings(voice.language), matching=None)
    if voice.status is domain.Status.REJECTED or not voice.sample_count:
        return plain
    return replace(plain, submitted=voice.submitted + 1)


async def delete_sample(deps: Deps, caller: Caller, voice_id: UUID, sample_id: UUID) -> None:
    """Remove one of several recordings of a custom voice and have it examined and matched anew.

    A voice that is ready stays so, and sounds as before until it is matched. Raises VoiceNotFound, SystemVoiceKept,
    SampleNotFound, LastSample, SampleNeeded.
    """
    async with deps.database.transaction(caller.org_id) as session:
        known = await _lock(session, caller, voice_id)
        samples = await store.list_samples(session, voice_id)
        gone = next((sample for sample in samples if sample.id == sample_id), None)
        if gone is None:
            raise domain.SampleNotFound
        others = [sample for sample in samples if sample is not gone]
        if not others:
            raise domain.LastSample
        if known.status is domain.Status.READY and (reasons := recordings.reasons_against(others)):
            raise domain.SampleNeeded(reasons)
        await store.delete_sample(session, sample_id)
        is_rejected = known.status is domain.Status.REJECTED
        wanted = replace(
            known,
            sample_count=len(others),
            object_key=others[0].object_key,
            discarded_keys=[*known.discarded_keys, gone.object_key],
            submitted=known.submitted + 1,
            status=domain.Status.PROCESSING if is_rejected else known.status,
            reasons=[] if is_rejected else known.reasons,
        )
        telling.submitted(session, await store.update_voice(session, wanted), others)


async def delete_voice(deps: Deps, caller: Caller, voice_id: UUID) -> None:
    """Delete a custom voice of the caller's organisation; its objects follow by event.

    Raises VoiceNotFound for an unknown or foreign voice, SystemVoiceKept for everybody's.
    """
    async with deps.database.transaction(caller.org_id) as session:
        voice = await _lock(session, caller, voice_id)
        keys = await store.list_object_keys(session, voice)
        await store.delete_voice(session, voice.id)
        now = deps.clock()
        outbox.add(
            session,
            VoiceDeleted(voice_id=str(voice.id), org_id=str(caller.org_id), object_keys=keys, deleted_at=now),
        )


async def _lock(session: AsyncSession, caller: Caller, voice_id: UUID) -> domain.Voice:
    voice = await store.lock_custom_voice(session, caller.org_id, voice_id)
    if voice is None:
        known = await store.get_voice(session, caller.org_id, voice_id)
        raise domain.SystemVoiceKept() if known else domain.VoiceNotFound()
    return voice


def _plain_settings(language: str) -> dict[str, Any]:
    """How the engine speaks a language, before it is matched to anybody."""
    try:
        return profile_for_language(language).to_settings()
    except UnknownEngineVoice as error:
        raise domain.LanguageNotSpoken(language) from error
