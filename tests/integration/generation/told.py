"""Events that other services tell, as they tell them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from libs.contracts.antiphon.generation.v1.events_pb2 import AudioRendered
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioStored
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceReady, VoiceSnapshot
from libs.ids import new_id


def stored(uploaded: AudioRendered) -> AudioStored:
    return AudioStored(
        generation_id=uploaded.generation_id,
        org_id=uploaded.org_id,
        track_id=str(new_id()),
        size_bytes=uploaded.size_bytes,
        duration_seconds=uploaded.duration_seconds,
        stored_at=datetime.now(UTC),
    )


def voice_ready(org_id: UUID, voice_id: UUID, *, revision: int, name: str, variant: str | None = None) -> VoiceReady:
    settings = {"engine_voice": "en-us", "language": "en-US"} | ({"variant": variant} if variant else {})
    snapshot = VoiceSnapshot(
        voice_id=str(voice_id),
        org_id=str(org_id),
        name=name,
        category="GENERAL",
        language="en-US",
        variant="CUSTOM",
        engine="espeak-ng",
        engine_settings=json.dumps(settings),
        revision=revision,
    )
    return VoiceReady(voice_id=str(voice_id), org_id=str(org_id), voice=snapshot, ready_at=datetime.now(UTC))
