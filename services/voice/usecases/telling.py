"""What others are told of voices."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.voice.v1.events_pb2 import (
    VoiceCreated,
    VoiceReady,
    VoiceRejected,
    VoiceSnapshot,
    VoiceSubmitted,
    VoiceUpdated,
)
from services.voice.domain import Sample, Voice


def _ids(voice: Voice) -> dict[str, str]:
    return {"voice_id": str(voice.id), "org_id": str(voice.org_id or "")}


def created(session: AsyncSession, voice: Voice) -> None:
    """Tell that a voice was added."""
    outbox.add(session, VoiceCreated(**_ids(voice), variant=voice.variant, created_at=voice.created_at))


def submitted(session: AsyncSession, voice: Voice, samples: Sequence[Sample]) -> None:
    """Ask for the voice's recordings to be examined and matched."""
    size = sum(sample.size_bytes for sample in samples)
    ids = _ids(voice)
    outbox.add(
        session,
        VoiceSubmitted(
            voice_id=ids["voice_id"],
            org_id=ids["org_id"],
            submitted_at=voice.updated_at,
            size_bytes=size,
            revision=voice.submitted,
        ),
    )


def ready(session: AsyncSession, voice: Voice) -> None:
    """Tell that a voice can be spoken with from now on."""
    outbox.add(session, VoiceReady(**_ids(voice), voice=_snapshot(voice), ready_at=voice.updated_at))


def updated(session: AsyncSession, voice: Voice) -> None:
    """Tell that a voice that can be spoken with is another now."""
    outbox.add(session, VoiceUpdated(**_ids(voice), voice=_snapshot(voice), updated_at=voice.updated_at))


def rejected(session: AsyncSession, voice: Voice) -> None:
    """Tell that no voice can be made of the recordings."""
    reasons = [reason["message"] for reason in voice.reasons]
    outbox.add(session, VoiceRejected(**_ids(voice), reasons=reasons, rejected_at=voice.updated_at))


def _snapshot(voice: Voice) -> VoiceSnapshot:
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
        settings=json.dumps(voice.settings, sort_keys=True),
    )
