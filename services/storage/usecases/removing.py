"""Audio and voices' objects go with their owner."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import AudioExpired, GenerationDeleted, ObjectsAbandoned
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, MediaDeleted, MediaRemoved
from libs.contracts.antiphon.voice.v1.events_pb2 import VoiceDeleted
from libs.messaging import Delivery, inbox
from services.storage.store import patrol, tombstones, tracks
from services.storage.usecases.deps import Deps
from services.storage.usecases.naming import id_of, own_only

logger = logging.getLogger(__name__)

REMOVE_AUDIO = "storage-remove_audio"
EXPIRE_AUDIO = "storage-expire_audio"
REMOVE_VOICE_OBJECTS = "storage-remove_voice_objects"
REMOVE_MEDIA = "storage-remove_media"


async def remove_audio(deps: Deps, delivery: Delivery[GenerationDeleted]) -> None:
    """Remove the track, then the objects of a deleted generation, and tell when they are gone.

    The row goes first, so that nobody is promised audio that is not there; the tombstone keeps the objects'
    keys until all are gone, and keeps a late upload from being kept.
    """
    event = delivery.event
    org_id = id_of(event.org_id)
    own_only("generations", org_id, event.object_keys)
    # What was deleted before audio was shared goes under its own id.
    audio_id = event.audio_id if event.HasField("audio_id") else event.generation_id
    if not audio_id:
        return
    await _remove(deps, org_id, id_of(audio_id), event.object_keys, REMOVE_AUDIO, delivery.event_id)


async def expire_audio(deps: Deps, delivery: Delivery[AudioExpired]) -> None:
    """Remove audio that was kept for as long as the plan says, as if its generation had been deleted."""
    event = delivery.event
    org_id = id_of(event.org_id)
    own_only("generations", org_id, event.object_keys)
    await _remove(deps, org_id, id_of(event.audio_id), event.object_keys, EXPIRE_AUDIO, delivery.event_id)


async def _remove(
    deps: Deps, org_id: UUID, generation_id: UUID, object_keys: Sequence[str], consumer: str, event_id: str
) -> None:
    async with deps.database.transaction(org_id, holding=tracks.locking(generation_id)) as session:
        tombstone = await tombstones.bury_generation(session, org_id, generation_id, object_keys, now=deps.clock())
    await deps.known.removed(generation_id)
    for key in tombstone.object_keys:
        await deps.objects.delete(key)
        deps.small.forget(key)
    async with deps.database.transaction(org_id) as session:
        if await inbox.is_new(session, consumer, event_id):
            outbox.add(
                session,
                AudioDeleted(
                    # As AudioStored told of it, whoever had it last.
                    generation_id=str(generation_id),
                    org_id=str(org_id),
                    size_bytes=tombstone.size_bytes,
                    deleted_at=deps.clock(),
                ),
            )


async def remove_voice_objects(deps: Deps, delivery: Delivery[VoiceDeleted]) -> None:
    """Delete the objects of a deleted custom voice and tell, once, when they are gone."""
    event = delivery.event
    own_only("voices", id_of(event.org_id), event.object_keys)
    await _remove_objects(deps, delivery, REMOVE_VOICE_OBJECTS, owner_type="voice", owner_id=event.voice_id)


async def remove_media_objects(deps: Deps, delivery: Delivery[MediaRemoved]) -> None:
    """Delete the objects of an asset that was deleted, and tell, once, when they are gone."""
    event = delivery.event
    own_only("media", id_of(event.org_id), event.object_keys)
    await _remove_objects(deps, delivery, REMOVE_MEDIA, owner_type="media", owner_id=event.media_id)


async def _remove_objects(
    deps: Deps,
    delivery: Delivery[VoiceDeleted] | Delivery[MediaRemoved],
    consumer: str,
    *,
    owner_type: str,
    owner_id: str,
) -> None:
    org_id = delivery.event.org_id
    for key in delivery.event.object_keys:
        await deps.objects.delete(key)
    async with deps.database.transaction(id_of(org_id)) as session:
        if await inbox.is_new(session, consumer, delivery.event_id):
            outbox.add(
                session,
                MediaDeleted(owner_id=owner_id, org_id=org_id, owner_type=owner_type, deleted_at=deps.clock()),
            )


async def remove_abandoned(deps: Deps, delivery: Delivery[ObjectsAbandoned]) -> None:
    """Delete objects to which the generation service refers no more; those of a track stay, whatever it says."""
    event = delivery.event
    org_id = id_of(event.org_id)
    own_only("generations", org_id, event.object_keys)
    async with deps.database.transaction(org_id) as session:
        referenced = await patrol.list_referenced(session, org_id, event.object_keys)
    if referenced:
        logger.warning("objects that tracks have are said to be abandoned", extra={"objects": len(referenced)})
    for key in sorted(set(event.object_keys) - referenced):
        await deps.objects.delete(key)
        deps.small.forget(key)
