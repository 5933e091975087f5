"""What the embedding service answers: voices and generations come and go, and are found accordingly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from libs.contracts.antiphon.embedding.v1.events_pb2 import DataExported, DocumentSubmitted
from libs.contracts.antiphon.gateway.v1.events_pb2 import OrganizationErasureRequested
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted, GenerationDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted, VoiceReady, VoiceUpdated
from libs.messaging import Calls, Delivery, declared, projection, work
from libs.outbox.exporting import exports
from services.embedding import domain, usecases
from services.embedding.usecases import Deps, erasing, exporting


@work(VoiceReady, concurrency=8)
async def index_voice(delivery: Delivery[VoiceReady], deps: Deps) -> None:
    """A voice is found by what people say of it."""
    source = _voice_source(delivery.event)
    await usecases.index(deps, source, consumer="embedding-index_voice", event_id=delivery.event_id)


@work(VoiceUpdated, concurrency=8)
async def reindex_voice(delivery: Delivery[VoiceUpdated], deps: Deps) -> None:
    """A voice that was changed is found by what is said of it now."""
    source = _voice_source(delivery.event)
    await usecases.index(deps, source, consumer="embedding-reindex_voice", event_id=delivery.event_id)


@work(GenerationCompleted, concurrency=16)
async def index_generation(delivery: Delivery[GenerationCompleted], deps: Deps) -> None:
    """A generation is found by its text."""
    source = _generation_source(delivery.event)
    await usecases.index(deps, source, consumer="embedding-index_generation", event_id=delivery.event_id)


async def _give_up(delivery: Delivery[DocumentSubmitted], deps: Deps, reason: str) -> None:
    # Only the kind of error: its message may repeat what clients must not see.
    kind = reason.partition(":")[0]
    await usecases.fail_document(deps, delivery, f"the text could not be embedded ({kind}); bring it again later")


@work(DocumentSubmitted, concurrency=4, exhausted=_give_up)
async def index_document(delivery: Delivery[DocumentSubmitted], deps: Deps) -> None:
    """What a client has brought is found by its text."""
    await usecases.index_document(deps, delivery)


@projection(VoiceDeleted)
async def forget_voices(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
    """A deleted voice is not found any more."""
    causes = {(_org(event.org_id), event.voice_id): event for event in events}
    await usecases.remove(session, domain.SourceType.VOICE, causes)


@projection(GenerationDeleted)
async def forget_generations(session: AsyncSession, events: Sequence[GenerationDeleted]) -> None:
    """A deleted generation is not found any more."""
    causes = {(_org(event.org_id), event.generation_id): event for event in events}
    await usecases.remove(session, domain.SourceType.GENERATION, causes)


def _voice_source(event: VoiceReady | VoiceUpdated) -> domain.Source:
    voice = event.voice
    return domain.Source(
        org_id=_org(event.org_id),
        type=domain.SourceType.VOICE,
        id=event.voice_id,
        revision=voice.revision,
        title=voice.name,
        text=domain.voice_text(
            name=voice.name,
            description=voice.description,
            category=voice.category.replace("_", " ").title(),
            language=voice.language,
        ),
        metadata={"category": voice.category, "language": voice.language, "variant": voice.variant},
    )


def _generation_source(event: GenerationCompleted) -> domain.Source:
    return domain.Source(
        org_id=_org(event.org_id),
        type=domain.SourceType.GENERATION,
        id=event.generation_id,
        revision=1,  # a completed generation never changes
        title=domain.title_of(event.text),
        text=event.text,
        metadata={"voice_name": event.voice_name, "voice_id": event.voice_id, "audio_id": event.audio_id},
    )


def _org(org_id: str) -> UUID | None:
    return UUID(org_id) if org_id else None


@work(OrganizationErasureRequested, concurrency=1, outstanding=8, of_erased=True)
async def erase_organization(delivery: Delivery[OrganizationErasureRequested], deps: Deps) -> None:
    """An organisation goes, and all that is kept of it."""
    await erasing.erase_organization(deps, delivery)


export_data = exports("embedding", DataExported, exporting.EXPORTED)

ASKS_FOR_TIMES = Calls("storage", "times")
FINDS_UPLOADS = Calls("storage", "find_media")

CONSUMERS = declared("embedding", sys.modules[__name__])
