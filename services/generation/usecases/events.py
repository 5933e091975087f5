"""What is told about generations."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from libs.contracts.antiphon.generation.v1.events_pb2 import (
    GenerationCanceled,
    GenerationCompleted,
    GenerationDeferred,
    GenerationFailed,
    GenerationRequested,
)
from services.generation.domain.requests import Generation, Voice
from services.generation.domain.speech import EVENT_TEXT_MAX_LENGTH


def requested_event(generation: Generation, voice: Voice, now: datetime) -> GenerationRequested:
    """Return the event that tells of accepted work."""
    return GenerationRequested(
        generation_id=str(generation.id),
        org_id=str(generation.org_id),
        voice_id=str(voice.id),
        text=generation.text[:EVENT_TEXT_MAX_LENGTH],
        characters=generation.characters,
        format=generation.format,
        engine=voice.engine,
        engine_settings=json.dumps(voice.engine_settings, sort_keys=True),
        speed=generation.speed,
        mode=generation.mode,
        key_id=str(generation.key_id or ""),
        user_id=str(generation.user_id or ""),
        requested_at=now,
    )


def deferred_event(requested: GenerationRequested, now: datetime) -> GenerationDeferred:
    """Return the event that tells of a request whose quota is still to be asked for."""
    return GenerationDeferred(
        generation_id=requested.generation_id, org_id=requested.org_id, request=requested, deferred_at=now
    )


def completed_event(generation: Generation, size_bytes: int) -> GenerationCompleted:
    """Return the event that tells of a completed generation."""
    text = generation.text[:EVENT_TEXT_MAX_LENGTH]
    return GenerationCompleted(
        generation_id=str(generation.id),
        org_id=str(generation.org_id),
        voice_id=str(generation.voice_id or ""),
        voice_name=generation.voice_name,
        text=text,
        text_omitted=len(generation.text) - len(text),
        characters=generation.characters,
        characters_spoken=generation.characters_spoken or 0,
        duration_seconds=generation.duration_seconds or 0.0,
        format=generation.format,
        size_bytes=size_bytes,
        model_id=generation.model_id,
        key_id=str(generation.key_id or ""),
        user_id=str(generation.user_id or ""),
        completed_at=generation.updated_at,
        audio_id=str(generation.rendition_id or ""),
    )


def failed_event(generation_id: UUID, org_id: UUID, code: str, reason: str, now: datetime) -> GenerationFailed:
    """Return the event that tells of a failed generation."""
    return GenerationFailed(
        generation_id=str(generation_id), org_id=str(org_id), code=code, reason=reason, failed_at=now
    )


def canceled_event(generation: Generation, now: datetime) -> GenerationCanceled:
    """Return the event that tells of a canceled generation."""
    return GenerationCanceled(generation_id=str(generation.id), org_id=str(generation.org_id), canceled_at=now)
