"""The events that tell of a life."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from libs.contracts.antiphon.analytics.v1.events_pb2 import QuotaThresholdReached, SubscriptionChanged, UsageRecorded
from libs.contracts.antiphon.embedding.v1.events_pb2 import (
    DocumentFailed,
    DocumentIndexed,
    DocumentRemoved,
    DocumentSubmitted,
)
from libs.contracts.antiphon.gateway.v1.events_pb2 import (
    ApiKeyCreated,
    ApiKeyRevoked,
    ExportCompleted,
    ExportFailed,
    MemberJoined,
    MemberRemoved,
    MemberRoleChanged,
    OrganizationCreated,
    OrganizationUpdated,
    WebhookDisabled,
)
from libs.contracts.antiphon.generation.v1.events_pb2 import (
    Alignment,
    AudioRendered,
    GenerationCanceled,
    GenerationCompleted,
    GenerationDeferred,
    GenerationDeleted,
    GenerationFailed,
    GenerationProgressed,
)
from libs.contracts.antiphon.storage.v1.events_pb2 import (
    AudioDeleted,
    AudioRejected,
    AudioStored,
    MediaDeleted,
    MediaRemoved,
    MediaStored,
)
from libs.contracts.antiphon.voice.v1.events_pb2 import (
    VoiceCreated,
    VoiceDeleted,
    VoiceReady,
    VoiceRejected,
    VoiceSnapshot,
    VoiceSubmitted,
    VoiceUpdated,
)
from tests.integration.shuffled.lives import Brought, Clock, Generation, Ids, Outcome, Voice


def org_events(org_id: UUID, plan: str, ids: Ids, now: Clock) -> Iterator[Message]:
    yield OrganizationCreated(org_id=str(org_id), name="Someone", plan=plan, created_at=now())
    about, key_id = {"org_id": str(org_id)}, str(ids())
    yield ApiKeyCreated(**about, key_id=key_id, prefix="ap_1234", created_at=now())
    yield OrganizationUpdated(**about, name="Somebody", updated_at=now())
    member = {**about, "user_id": str(ids())}
    yield MemberJoined(**member, role="member", joined_at=now())
    yield MemberRoleChanged(**member, role="viewer", changed_at=now())
    yield MemberRemoved(**member, removed_at=now())
    yield ApiKeyRevoked(**about, key_id=key_id, revoked_at=now())
    for revision, (plan, status) in enumerate((("free", "active"), ("enterprise", "expired")), 2):
        yield SubscriptionChanged(
            org_id=str(org_id),
            plan=plan,
            status=status,
            plan_in_force="pro" if revision == 2 else "free",
            start_date=now(),
            revision=revision,
            changed_at=now(),
        )
    yield QuotaThresholdReached(
        **about, unit="characters", percent=80, limit=10, used=8, period="2026-01-01", resets_at=now(), reached_at=now()
    )
    yield WebhookDisabled(**about, webhook_id=str(ids()), reason="gone", disabled_at=now())
    yield ExportCompleted(**about, export_id=str(ids()), completed_at=now(), expires_at=now())
    yield ExportFailed(**about, export_id=str(ids()), services=["voice"], failed_at=now(), expires_at=now())


def media_events(org_id: UUID, ids: Ids, now: Clock) -> Iterator[Message]:
    """A file that stays, and one that is deleted."""
    for is_removed in (False, True):
        about = {"media_id": str(ids()), "org_id": str(org_id)}
        key = f"media/orgs/{org_id}/{about['media_id']}/file"
        yield MediaStored(
            **about,
            kind="document",
            purpose="document",
            object_key=key,
            content_type="text/plain",
            size_bytes=21,
            sha256=hashlib.sha256(b"Doors open at seven.\n").hexdigest(),
            stored_at=now(),
        )
        if is_removed:
            yield MediaRemoved(**about, object_keys=[key], size_bytes=21, removed_at=now())


def document_events(brought: Brought, ids: Ids, now: Clock) -> Iterator[Message]:
    """A text that is indexed, and one that cannot be."""
    for document_id, kind in ((brought.id, DocumentIndexed), (ids(), DocumentFailed)):
        source = {
            "document_id": str(document_id),
            "org_id": str(brought.org_id),
            "source_type": "knowledge",
            "source_id": str(document_id),
        }
        yield DocumentSubmitted(**source, revision=1, submitted_at=now())
        if kind is DocumentIndexed:
            yield DocumentIndexed(**source, chunks=1, indexed_at=now())
        else:
            yield DocumentFailed(**source, reason="no vectors", failed_at=now())


def voice_events(voice: Voice, ids: Ids, now: Clock) -> Iterator[Message]:
    voice_id, org_id = str(voice.id), str(voice.org_id or "")
    variant = "CUSTOM" if voice.org_id else "SYSTEM"
    source = {"document_id": str(ids()), "org_id": org_id, "source_type": "voice", "source_id": voice_id}
    yield VoiceCreated(voice_id=voice_id, org_id=org_id, variant=variant, created_at=now())
    if voice.org_id:
        yield VoiceSubmitted(voice_id=voice_id, org_id=org_id, submitted_at=now())
    if not voice.revisions:
        yield VoiceRejected(voice_id=voice_id, org_id=org_id, reasons=["too quiet"], rejected_at=now())
    for revision in range(1, voice.revisions + 1):
        snapshot = VoiceSnapshot(
            voice_id=voice_id,
            org_id=org_id,
            name=f"Aaron {revision}",
            description="warm " * revision,
            category="GENERAL",
            language="en-US",
            variant=variant,
            engine="espeak-ng",
            engine_settings=json.dumps({"engine_voice": "en-us", "language": "en-US", "rate": 150 + revision}),
            revision=revision,
        )
        if revision == 1:
            yield VoiceReady(voice_id=voice_id, org_id=org_id, voice=snapshot, ready_at=now())
        else:
            yield VoiceUpdated(voice_id=voice_id, org_id=org_id, voice=snapshot, updated_at=now())
        yield DocumentIndexed(**source, chunks=1, indexed_at=now())
    if voice.deleted:
        yield VoiceDeleted(voice_id=voice_id, org_id=org_id, object_keys=voice.object_keys, deleted_at=now())
        yield MediaDeleted(owner_id=voice_id, org_id=org_id, owner_type="voice", deleted_at=now())
        yield DocumentRemoved(**source, removed_at=now())


def _about(made: Generation) -> dict[str, Any]:  # Any: fields of many events
    return {"generation_id": str(made.id), "org_id": str(made.org_id)}


def generation_events(sharing: Sequence[Generation], ids: Ids, now: Clock) -> Iterator[Message]:
    """What is told of generations that have their audio in common."""
    for made in sharing:
        yield from _asked(made, now)
    heard = [made for made in sharing if made.is_rendered]
    if heard:
        yield _rendered(heard[0], now)
    stored = [made for made in sharing if made.outcome is Outcome.STORED]
    if stored:
        yield from _stored(stored, ids, now)
    rejected = [made for made in sharing if made.outcome is Outcome.REJECTED]
    if rejected:
        audio = _about(rejected[0]) | {"generation_id": str(rejected[0].audio_id)}
        yield AudioRejected(**audio, reason="not what was announced", rejected_at=now())
    for made in rejected:
        yield GenerationFailed(**_about(made), code="audio_rejected", reason="not what was announced", failed_at=now())
    yield from _deletions(sharing, now)


def _asked(made: Generation, now: Clock) -> Iterator[Message]:
    if made.is_deferred:
        yield GenerationDeferred(**_about(made), request=made.requested, deferred_at=now())
    if made.outcome is Outcome.REFUSED:
        yield GenerationFailed(**_about(made), code="quota_exceeded", reason="too much", failed_at=now())
    else:
        yield made.requested
    if made.is_rendered:
        yield GenerationProgressed(**_about(made), chunks_done=1, chunks_total=2, progressed_at=now())
    if made.outcome is Outcome.UNSPEAKABLE:
        yield GenerationFailed(**_about(made), code="text_not_speakable", reason="no such voice", failed_at=now())
    if made.outcome is Outcome.CANCELED:
        yield GenerationCanceled(**_about(made), canceled_at=now())


def _deletions(sharing: Sequence[Generation], now: Clock) -> Iterator[Message]:
    """The audio goes with the last who had it."""
    deleted = [made for made in sharing if made.deleted]
    heard = any(made.is_rendered for made in sharing)
    for made in deleted:
        is_last = made is deleted[-1] and len(deleted) == len(sharing)
        keys = [made.object_key] if heard and is_last else []
        event = GenerationDeleted(**_about(made), object_keys=keys, deleted_at=now())
        # Before audio was shared, events did not say whose it was.
        if len(sharing) > 1 or made.id.int % 2:
            event.audio_id = str(made.audio_id) if is_last else ""
        yield event
        if is_last:
            audio = _about(made) | {"generation_id": str(made.audio_id)}
            yield AudioDeleted(**audio, size_bytes=len(made.audio), deleted_at=now())


def _rendered(made: Generation, now: Clock) -> AudioRendered:
    length = len(made.text)
    wrong = made.outcome is Outcome.REJECTED
    return AudioRendered(
        generation_id=str(made.audio_id),
        org_id=str(made.org_id),
        object_key=made.object_key,
        content_type="audio/mpeg",
        format="mp3",
        size_bytes=len(made.audio),
        sha256=hashlib.sha256(b"something else" if wrong else made.audio).hexdigest(),
        duration_seconds=length / 16,
        sample_rate=22_050,
        text=made.text,
        alignment=Alignment(
            start_times=[place / 16 for place in range(length)], end_times=[(place + 1) / 16 for place in range(length)]
        ),
        model_id="espeak-ng",
        rendered_at=now(),
    )


def _stored(sharing: Sequence[Generation], ids: Ids, now: Clock) -> Iterator[Message]:
    first = sharing[0]
    seconds = len(first.text) / 16
    yield AudioStored(
        **_about(first) | {"generation_id": str(first.audio_id)},
        track_id=str(ids()),
        object_key=first.object_key,
        sha256=hashlib.sha256(first.audio).hexdigest(),
        size_bytes=len(first.audio),
        duration_seconds=seconds,
        stored_at=now(),
    )
    for made in sharing:
        spoken = len(made.text) if made is first else 0
        yield GenerationCompleted(
            **_about(made),
            voice_id=str(made.voice.id),
            voice_name="Aaron 1",
            text=made.text,
            characters=len(made.text),
            characters_spoken=spoken,
            duration_seconds=seconds,
            format="mp3_22050_64",
            size_bytes=len(made.audio),
            model_id="espeak-ng",
            completed_at=now(),
            audio_id=str(first.audio_id),
        )
        used = {"characters": spoken, "characters_cached": len(made.text) - spoken, "audio_seconds": seconds}
        for unit, quantity in used.items():
            yield UsageRecorded(
                usage_id=str(ids()),
                org_id=str(made.org_id),
                unit=unit,
                quantity=quantity,
                resource_id=str(made.id),
                recorded_at=now(),
            )
