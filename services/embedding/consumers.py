"""What the embedding service answers: voices and spoken texts come and go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentRemoved
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted, GenerationDeleted
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted, VoiceReady
from libs.ids import new_id
from libs.messaging import Delivery, declared, projection, work
from services.embedding import domain, store, usecases
from services.embedding.domain import Source, SourceType
from services.embedding.usecases import Deps

GROUP = "embedding"


@work(VoiceReady, concurrency=8)
async def index_voice(delivery: Delivery[VoiceReady], deps: Deps) -> None:
    """A voice is found by what it is called, how it is described, what it is for and what it speaks."""
    voice = delivery.event.voice
    source = Source(
        org_id=UUID(voice.org_id) if voice.org_id else None,
        type=SourceType.VOICE,
        id=voice.voice_id,
        revision=voice.revision,
        title=voice.name,
        text=domain.voice_text(
            name=voice.name,
            description=voice.description,
            category=voice.category.replace("_", " ").title(),
            language=voice.language,
        ),
        metadata={"language": voice.language, "category": voice.category},
    )
    await usecases.index(deps, source, consumer=f"{GROUP}-index_voice", event_id=delivery.event_id)


@work(GenerationCompleted, concurrency=16)
async def index_generation(delivery: Delivery[GenerationCompleted], deps: Deps) -> None:
    """A generation is found by its text."""
    event = delivery.event
    source = Source(
        org_id=UUID(event.org_id),
        type=SourceType.GENERATION,
        id=event.generation_id,
        revision=1,
        title=domain.title_of(event.text),
        text=event.text,
        metadata={"voice_id": event.voice_id, "voice_name": event.voice_name},
    )
    await usecases.index(deps, source, consumer=f"{GROUP}-index_generation", event_id=delivery.event_id)


@projection(VoiceDeleted)
async def forget_voices(session: AsyncSession, events: Sequence[VoiceDeleted]) -> None:
    """A deleted voice is no longer found."""
    for event in events:
        await _forget(session, UUID(event.org_id), SourceType.VOICE, event.voice_id, cause=event)


@projection(GenerationDeleted)
async def forget_generations(session: AsyncSession, events: Sequence[GenerationDeleted]) -> None:
    """A deleted generation is no longer found."""
    for event in events:
        await _forget(session, UUID(event.org_id), SourceType.GENERATION, event.generation_id, cause=event)


async def _forget(
    session: AsyncSession, org_id: UUID, source_type: SourceType, source_id: str, *, cause: Message
) -> None:
    document_id = await store.remove_document(session, new_id(), org_id, source_type, source_id)
    if document_id is None:
        return
    removed = DocumentRemoved(
        document_id=str(document_id), org_id=str(org_id), source_type=str(source_type), source_id=source_id
    )
    removed.removed_at.GetCurrentTime()
    outbox.add(session, removed, cause=cause)


CONSUMERS = declared(GROUP, sys.modules[__name__])
