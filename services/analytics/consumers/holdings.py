"""Things come and go: audio, recordings, voices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, MediaRemoved, MediaStored
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceCreated, VoiceDeleted, VoiceSubmitted
from libs.messaging import projection
from services.analytics import domain, store
from services.analytics.consumers.stamps import time_of
from services.analytics.domain import Quota
from services.analytics.store import GONE, Holding
from services.analytics.usecases import thresholds

CUSTOM = "CUSTOM"
GATHER_SECONDS = 0.1


async def _save(
    session: AsyncSession, holdings: Sequence[Holding], now: datetime, causes: Mapping[UUID, Message]
) -> None:
    levels = await store.save_holdings(session, holdings) if holdings else {}
    period = domain.period_of(now)
    used = {(org_id, period, quota): quantity for (org_id, quota), quantity in levels.items()}
    if used:
        await thresholds.tell_thresholds(session, used, now, causes)


@projection(GenerationCompleted, gather_seconds=GATHER_SECONDS)
async def count_audio(session: AsyncSession, events: Sequence[GenerationCompleted]) -> None:
    """Audio counts once, however many generations share it."""
    # Before audio was told by its id, it had that of the generation that was the first to have it, and paid for it.
    told = [(event.audio_id or event.generation_id, event) for event in events if event.audio_id or _was_first(event)]
    holdings = [
        Holding(Quota.STORED_BYTES, UUID(audio_id), UUID(event.org_id), event.size_bytes, 1) for audio_id, event in told
    ]
    causes = {UUID(event.org_id): event for event in events}
    await _save(session, holdings, max(time_of(event.completed_at) for event in events), causes)


def _was_first(event: GenerationCompleted) -> bool:
    return not event.HasField("characters_spoken") or event.characters_spoken > 0


@projection(AudioDeleted, gather_seconds=GATHER_SECONDS)
async def forget_audio(session: AsyncSession, events: Sequence[AudioDeleted]) -> None:
    """Audio that is deleted is stored no more."""
    holdings = [Holding(Quota.STORED_BYTES, UUID(event.generation_id), UUID(event.org_id), 0, GONE) for event in events]
    await store.save_holdings(session, holdings)


@projection(MediaStored)
async def count_media(session: AsyncSession, events: Sequence[MediaStored]) -> None:
    """Files that clients have brought are stored."""
    holdings = [
        Holding(Quota.STORED_BYTES, UUID(event.media_id), UUID(event.org_id), event.size_bytes, 1) for event in events
    ]
    causes = {UUID(event.org_id): event for event in events}
    await _save(session, holdings, max(time_of(event.stored_at) for event in events), causes)


@projection(MediaRemoved)
async def forget_media(session: AsyncSession, events: Sequence[MediaRemoved]) -> None:
    """Files that a client has deleted are on their way."""
    await store.save_holdings(
        session, [Holding(Quota.STORED_BYTES, UUID(event.media_id), UUID(event.org_id), 0, GONE) for event in events]
    )


@projection(VoiceCreated)
async def count_voices(session: AsyncSession, events: Sequence[VoiceCreated]) -> None:
    """An organisation has a voice more; what was set aside for it is settled."""
    made = [event for event in events if event.variant == CUSTOM]
    if not made:
        return
    await store.settle_reservations(
        session, [(UUID(event.voice_id), UUID(event.org_id)) for event in made], Quota.CUSTOM_VOICES
    )
    holdings = [Holding(Quota.CUSTOM_VOICES, UUID(event.voice_id), UUID(event.org_id), 1, 1) for event in made]
    causes = {UUID(event.org_id): event for event in made}
    await _save(session, holdings, max(time_of(event.created_at) for event in made), causes)


@projection(VoiceSubmitted)
async def count_recordings(session: AsyncSession, events: Sequence[VoiceSubmitted]) -> None:
    """Recordings of a voice are stored, as many as there are now."""
    # Earlier releases did not tell how much they are.
    told = [event for event in events if event.revision]
    if not told:
        return
    holdings = [
        Holding(Quota.STORED_BYTES, UUID(event.voice_id), UUID(event.org_id), event.size_bytes, event.revision)
        for event in told
    ]
    causes = {UUID(event.org_id): event for event in told}
    await _save(session, holdings, max(time_of(event.submitted_at) for event in told), causes)


@projection(VoiceDeleted)
async def forget_voices(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
    """A voice is gone, and its recordings are on their way."""
    await store.save_holdings(
        session,
        [
            Holding(quota, UUID(event.voice_id), UUID(event.org_id), 0, GONE)
            for event in events
            for quota in (Quota.CUSTOM_VOICES, Quota.STORED_BYTES)
        ],
    )
