"""What the generation service answers: voices come and go, audio is stored, put-off requests are taken up."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.analytics.v1.events_pb2 import SubscriptionChanged
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationCreated, OrganizationErasureRequested
from libs.contracts.antiphon.generation.v1.events_pb2 import (
    DataExported,
    GenerationCanceled,
    GenerationCompleted,
    GenerationDeferred,
    GenerationFailed,
)
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioLost, AudioRejected, AudioStored
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted, VoiceReady, VoiceSnapshot, VoiceUpdated
from libs.messaging import Calls, Delivery, Heeds, Rebuildable, Serves, Signals, declared, overhears, projection, work
from libs.outbox.exporting import exports
from services.generation.domain import signals
from services.generation.store import generations, retention, voices
from services.generation.store.retention import KnownPlan
from services.generation.usecases import Deps, admitting, ending, erasing, exporting, restoring


def _rows(events: Sequence[VoiceReady | VoiceUpdated]) -> list[dict[str, Any]]:
    """What is needed to speak with a voice; of several events for one voice the newest counts."""
    newest: dict[str, VoiceSnapshot] = {}
    for event in events:
        known = newest.get(event.voice_id)
        if known is None or known.revision < event.voice.revision:
            newest[event.voice_id] = event.voice
    return [
        {
            "id": UUID(voice.voice_id),
            "org_id": UUID(voice.org_id) if voice.org_id else None,
            "name": voice.name,
            "language": voice.language,
            "engine": voice.engine,
            "engine_settings": json.loads(voice.engine_settings),
            "settings": json.loads(voice.settings or "{}"),
            "revision": voice.revision,
        }
        for voice in newest.values()
    ]


@projection(VoiceReady)
async def learn_voices(session: AsyncSession, events: Sequence[VoiceReady]) -> None:
    """Keep what is needed to speak with a voice."""
    await voices.save_voices(session, _rows(events))


@projection(VoiceUpdated)
async def renew_voices(session: AsyncSession, events: Sequence[VoiceUpdated]) -> None:
    """A voice that was changed is spoken with as it is now."""
    await voices.save_voices(session, _rows(events))


@projection(VoiceDeleted)
async def forget_voices(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
    """Generations outlive their voice: the reference goes, name and audio stay."""
    dead = {UUID(event.voice_id): UUID(event.org_id) for event in events}
    await voices.bury_voices(session, list(dead.items()))
    await generations.clear_voice(session, list(dead))


@projection(OrganizationCreated)
async def learn_plans(session: AsyncSession, events: Sequence[OrganizationCreated]) -> None:
    """For how long audio is kept follows from the plan."""
    known = [KnownPlan(UUID(one.org_id), one.plan, 0, one.created_at.ToDatetime(UTC)) for one in events]
    await retention.save_plans(session, known)


@projection(SubscriptionChanged)
async def renew_plans(session: AsyncSession, events: Sequence[SubscriptionChanged]) -> None:
    """Whoever has another plan has their audio kept for longer or shorter."""
    known = [
        KnownPlan(UUID(one.org_id), one.plan_in_force, one.revision, one.changed_at.ToDatetime(UTC)) for one in events
    ]
    await retention.save_plans(session, known)


@projection(AudioStored)
async def complete_generations(session: AsyncSession, events: Sequence[AudioStored]) -> None:
    """Audio, track and alignment can be read: what an earlier release's worker left waiting for that is completed."""
    await ending.complete(session, {UUID(event.generation_id): event for event in events})


@projection(AudioRejected)
async def fail_generations(session: AsyncSession, events: Sequence[AudioRejected]) -> None:
    """What was uploaded cannot be used."""
    for event in events:
        await ending.fail_renditions(
            session,
            UUID(event.org_id),
            [UUID(event.generation_id)],
            code="audio_rejected",
            reason=event.reason,
            now=event.rejected_at.ToDatetime(),
            cause=event,
            refused_key=event.object_key,
        )


@work(AudioLost, concurrency=2)
async def restore_audio(delivery: Delivery[AudioLost], deps: Deps) -> None:
    """What storage found to be lost is made again."""
    await restoring.restore_audio(deps, delivery)


@work(GenerationDeferred, concurrency=16, outstanding=1024)
async def admit_generation(delivery: Delivery[GenerationDeferred], deps: Deps) -> None:
    """Whoever asked while the quota could not be asked is told now."""
    await admitting.admit_generation(deps, delivery)


KNOWN_VOICES = Rebuildable("generation.voices", (learn_voices, renew_voices, forget_voices), voices.delete_voices)
RESERVES_CHARACTERS = Calls("analytics", "reserve")
TELLS_AUDIO = Serves("generation", "find_audio")
# So that requests that wait are told at once, whichever process finished their generation.
HEARS_OF_COMPLETION = overhears(GenerationCompleted)
HEARS_OF_FAILURE = overhears(GenerationFailed)
HEARS_OF_CANCELING = overhears(GenerationCanceled)
TELLS_OF_WORK = Signals(signals.WORK)
TELLS_WHAT_IS_NOT_WANTED = Signals(signals.STOP)
TELLS_OF_DELETIONS = Signals(signals.DELETED)
HEARS_OF_DELETIONS = Heeds(signals.DELETED)
OFFERS_WORK = Signals(signals.OFFER)
HEARS_WHAT_IS_BEGUN = Heeds(signals.BEGUN)
ENTRUSTS_WORK = Signals(signals.ENTRUSTED)
HEARS_OF_PROGRESS = Heeds(signals.PROGRESS)
HEARS_FIRST_PIECES = Heeds(signals.FIRST)


@work(OrganizationErasureRequested, concurrency=1, outstanding=8, of_erased=True)
async def erase_organization(delivery: Delivery[OrganizationErasureRequested], deps: Deps) -> None:
    """An organisation goes, and all that is kept of it."""
    await erasing.erase_organization(deps, delivery)


export_data = exports("generation", DataExported, exporting.EXPORTED)

CONSUMERS = declared("generation", sys.modules[__name__])
