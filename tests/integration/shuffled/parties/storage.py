"""The storage service's consumers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioRejected, AudioStored, MediaDeleted
from libs.objectstore import ByteCache, ObjectStoreAddress, PublicSigner
from libs.web.known import Known
from services.storage.adapters.probing import Prober
from services.storage.consumers import CONSUMERS as STORAGE
from services.storage.usecases import Deps as StorageDeps
from tests.integration.shuffled.histories import History
from tests.integration.shuffled.parties.idle import no_signal, now
from tests.integration.shuffled.stage import Emitted, Party, Stage


async def _uploads(stage: Stage, history: History) -> None:
    objects = {key: b"sample" for voice in history.voices for key in voice.object_keys}
    objects |= {made.object_key: made.audio for made in history.generations if made.is_rendered}
    await asyncio.gather(*(stage.objects.put(key, content, "audio/mpeg") for key, content in objects.items()))


async def _storage_deps(stage: Stage) -> StorageDeps:
    signer = PublicSigner(ObjectStoreAddress("http://127.0.0.1:1", "us-east-1", "antiphon", "key", "secret"), None, now)
    small = ByteCache(most_bytes=0, ttl_seconds=1)
    return StorageDeps(
        database=stage.database,
        objects=stage.objects,
        signer=signer,
        small=small,
        known=Known(no_signal),
        parts=stage.objects.uploads,
        prober=Prober(stage.objects),
        clock=now,
        find_audio=_nobody_asks,
    )


async def _nobody_asks(_org_id: UUID, _generation_id: UUID) -> UUID | None:
    """No track is listed in these histories."""
    raise AssertionError


def _stored(history: History, emitted: Sequence[Emitted]) -> list[str]:
    """What listeners believe in the end: of deleted audio only that it is gone, and no byte is left over."""
    deleted = {str(group[0].audio_id) for group in history.sharing if all(made.deleted for made in group)}
    kept: list[str] = []
    bytes_left: dict[str, int] = defaultdict(int)
    for one in emitted:
        event = one.event
        assert isinstance(event, AudioStored | AudioRejected | AudioDeleted | MediaDeleted)
        if isinstance(event, AudioStored):
            bytes_left[event.generation_id] += event.size_bytes
        if isinstance(event, AudioDeleted):
            bytes_left[event.generation_id] -= event.size_bytes
        of_deleted = isinstance(event, AudioStored | AudioRejected) and event.generation_id in deleted
        if not of_deleted:
            kept.append(one.fields("track_id", *(["size_bytes"] if isinstance(event, AudioDeleted) else [])))
    return kept + [f"{size} bytes of {generation}" for generation, size in bytes_left.items() if size]


STORAGE_PARTY = Party(
    STORAGE,
    "storage",
    "storage",
    _uploads,
    _storage_deps,
    _stored,
    hidden={
        "audio_alignments": frozenset({"track_id"}),
        # The bytes of a track that never was are not counted as freed.
        "deleted_generations": frozenset({"deleted_at", "size_bytes"}),
    },
)
