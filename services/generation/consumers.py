"""What the generation service answers: voices come and go, audio is stored, put-off requests are taken up."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted, GenerationDeferred, GenerationFailed
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioRejected, AudioStored
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted, VoiceReady
from libs.messaging import Calls, Delivery, Rebuildable, declared, overhears, projection, work
from services.generation import store, usecases
from services.generation.adapters import note_finished
from services.generation.usecases import Deps


@projection(VoiceReady)
async def learn_voices(session: AsyncSession, events: Sequence[VoiceReady]) -> None:
    """Keep what is needed to speak with a voice; of several events for one voice the newest counts."""
    newest: dict[str, VoiceReady] = {}
    for event in events:
        known = newest.get(event.voice_id)
        if known is None or known.voice.revision < event.voice.revision:
            newest[event.voice_id] = event
    await store.save_voices(
        session,
        [
            {
                "id": UUID(event.voice_id),
                "org_id": UUID(event.org_id) if event.org_id else None,
                "name": event.voice.name,
                "language": event.voice.language,
                "engine": event.voice.engine,
                "engine_settings": json.loads(event.voice.engine_settings),
                "revision": event.voice.revision,
            }
            for event in newest.values()
        ],
    )


@projection(VoiceDeleted)
async def forget_voices(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
    """Generations outlive their voice: the reference goes, name and audio stay."""
    dead = {UUID(event.voice_id): UUID(event.org_id) for event in events}
    await store.bury_voices(session, list(dead.items()))
    await store.clear_voice(session, list(dead))


@projection(AudioStored)
async def complete_generations(session: AsyncSession, events: Sequence[AudioStored]) -> None:
    """Audio, track and alignment can be read: the generation is completed."""
    causes = {UUID(event.generation_id): event for event in events}
    for generation in await store.complete_generations(session, list(causes)):
        cause = causes[generation.id]
        completed = usecases.completed_event(generation)
        completed.size_bytes = cause.size_bytes
        outbox.add(session, completed, cause=cause)
        note_finished(session, generation)


@projection(AudioRejected)
async def fail_generations(session: AsyncSession, events: Sequence[AudioRejected]) -> None:
    """What was uploaded cannot be used."""
    for event in events:
        generation_id = UUID(event.generation_id)
        if await store.fail_generation(session, generation_id, code="audio_rejected", reason=event.reason):
            failed = usecases.failed_event(
                generation_id, UUID(event.org_id), "audio_rejected", event.reason, event.rejected_at.ToDatetime()
            )
            outbox.add(session, failed, cause=event)


@work(GenerationDeferred, concurrency=16, outstanding=1024)
async def admit_generation(delivery: Delivery[GenerationDeferred], deps: Deps) -> None:
    """Whoever asked while the quota could not be asked is told now."""
    await usecases.admit_generation(deps, delivery)


KNOWN_VOICES = Rebuildable("generation.voices", (learn_voices, forget_voices), store.delete_voices)
RESERVES_CHARACTERS = Calls("analytics", "reserve")
# So that requests that wait are told at once, whichever process finished their generation.
HEARS_OF_COMPLETION = overhears(GenerationCompleted)
HEARS_OF_FAILURE = overhears(GenerationFailed)

CONSUMERS = declared("generation", sys.modules[__name__])
