"""The consumer groups: what they begin with, what they work with, and what their emitted events mean."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed, DocumentRemoved
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted, GenerationRequested
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioRejected, AudioStored, MediaDeleted
from libs.messaging import connect
from libs.messaging.rpc import RpcServer
from libs.objectstore import ByteCache, ObjectStoreAddress, PublicSigner
from libs.web.known import Known
from services.analytics.consumers import CONSUMERS as ANALYTICS
from services.analytics.domain import Plan
from services.analytics.usecases import Deps as AnalyticsDeps
from services.embedding.adapters import Vectors
from services.embedding.consumers import CONSUMERS as EMBEDDING
from services.embedding.domain import DIMENSIONS, content_hash
from services.embedding.usecases import Deps as EmbeddingDeps
from services.gateway.consumers import CONSUMERS as GATEWAY
from services.generation.adapters import Finishes, Progress, Quota, SystemVoices
from services.generation.consumers import CONSUMERS as GENERATION
from services.generation.domain.load import Limits
from services.generation.usecases import Deps as GenerationDeps
from services.generation.usecases.admission import Admission
from services.generation.usecases.models import Models
from services.storage.adapters.probing import Prober
from services.storage.consumers import CONSUMERS as STORAGE
from services.storage.usecases import Deps as StorageDeps
from tests.integration.shuffled.histories import History
from tests.integration.shuffled.lives import BEGINNING, TOO_MUCH, Generation, Outcome
from tests.integration.shuffled.stage import Emitted, Party, Stage
from tests.support.uploads import no_upload


def _now() -> datetime:
    return datetime.now(UTC)


# --- generation ---


_STATUS = {Outcome.UNSPEAKABLE: "failed", Outcome.CANCELED: "canceled"}
"""As what requests stand that have ended by themselves; the others wait."""


async def _requests(stage: Stage, history: History) -> None:
    """What was deleted is gone; what a worker has rendered awaits its storing; the rest awaits a worker."""
    sharing = [alive for group in history.sharing if (alive := [made for made in group if not made.deleted])]
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into renditions (id, org_id, text, spec, mode, status, characters_spoken, samples, object_key,"
            " duration_seconds, size_bytes) values ($1, $2, $3, '{}', 'interactive', $4, $5, $6, $7, $8, $9)",
            [_rendition(group) for group in sharing],
        )
        await connection.executemany(
            "insert into generations (id, org_id, voice_id, voice_name, text, characters, temperature, top_p, top_k,"
            " repetition_penalty, speed, format, model_id, status, rendition_id, created_at)"
            " values ($1, $2, $3, 'Aaron 1', $4, $5, 1, 1, 1, 1, 1, 'mp3_22050_64', 'espeak-ng', $6, $7, $8)",
            [
                (
                    made.id,
                    made.org_id,
                    made.voice.id,
                    made.text,
                    len(made.text),
                    _STATUS.get(made.outcome, "pending"),
                    made.audio_id,
                    BEGINNING,
                )
                for group in sharing
                for made in group
            ],
        )


def _rendition(sharing: Sequence[Generation]) -> tuple[object, ...]:
    last = sharing[-1]
    about = (last.audio_id, last.org_id, last.text)
    if not last.is_rendered:
        return (*about, _STATUS.get(last.outcome, "pending"), *[None] * 5)
    length = len(last.text)
    return (*about, "rendered", length, length, last.object_key, length / 16, len(last.audio))


async def _generation_deps(stage: Stage) -> GenerationDeps:
    analytics = await connect(stage.servers.nats("analytics"), "test analytics")
    stage.closing.push_async_callback(analytics.close)
    server = RpcServer(analytics, "analytics", "reserve", ReserveRequest, _reserve)
    await server.start()
    stage.closing.push_async_callback(server.stop)
    await analytics.client.flush()
    return GenerationDeps(
        database=stage.database,
        objects=stage.objects,
        bus=stage.bus,
        quota=Quota(stage.bus, patience_seconds=5),
        finishes=Finishes(stage.bus),
        progress=Progress(stage.bus),
        admission=Admission(stage.database, Limits(60, 3600)),
        models=Models(stage.database),
        system_voices=SystemVoices(),
        known_audio=Known(_no_signal),
        clock=_now,
    )


async def _reserve(request: ReserveRequest) -> ReserveReply:
    granted = request.characters < TOO_MUCH
    return ReserveReply(granted=granted, limit=10_000, remaining=3, resets_at=1_800_000_000)


def _generation_meaning(history: History, emitted: Sequence[Emitted]) -> list[str]:
    """What is told depends on what was there before, as far as orders go that do not happen.

    A completed generation still names its voice if that was deleted after it; and a request that was put off is told
    of if it is admitted before its audio is there.
    """
    heard = {str(made.id) for made in history.generations if made.is_rendered}
    dead = {str(made.id) for made in history.generations if made.voice.deleted}
    return [
        one.fields("voice_id")
        if isinstance(one.event, GenerationCompleted) and one.event.generation_id in dead
        else one.fields()
        for one in emitted
        if not (isinstance(one.event, GenerationRequested) and one.event.generation_id in heard)
    ]


# --- analytics ---


async def _reservations(stage: Stage, history: History) -> None:
    """Characters are held for every generation that was not put off."""
    held = [made for made in history.generations if not made.is_deferred]
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into reservations (id, org_id, characters, status, expires_at) values ($1, $2, $3, 'held', $4)",
            [(made.id, made.org_id, len(made.text), BEGINNING + timedelta(hours=1)) for made in held],
        )


async def _analytics_deps(stage: Stage) -> AnalyticsDeps:
    return AnalyticsDeps(database=stage.database, objects=stage.objects, default_plan=Plan.FREE, clock=_now)


def _billed(_history: History, emitted: Sequence[Emitted]) -> list[str]:
    """Each event counts."""
    return [one.fields("usage_id") for one in emitted]


async def _nothing(_stage: Stage, _history: History | None = None) -> None:
    """Nothing is needed."""


# --- embedding ---


class _Hashed:
    """Vectors that depend on the text alone: what they mean is no matter here."""

    model_id = "hashed"
    dimensions = DIMENSIONS

    async def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.array([self._row(text) for text in texts], dtype=np.float32).reshape(len(texts), DIMENSIONS)
        vectors: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
        return vectors

    def _row(self, text: str) -> list[int]:
        return list(hashlib.shake_256(text.encode()).digest(DIMENSIONS))

    async def close(self) -> None:
        """Nothing was opened."""


async def _texts(stage: Stage, history: History) -> None:
    """What clients brought waits to be indexed."""
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into documents (id, org_id, source_type, source_id, title, status, content_hash, revision)"
            " values ($1, $2, 'knowledge', $3, 'Knowledge', 'pending', $4, 1)",
            [(one.id, one.org_id, str(one.id), content_hash(one.text)) for one in history.brought],
        )
        await connection.executemany(
            "insert into document_texts (document_id, org_id, text) values ($1, $2, $3)",
            [(one.id, one.org_id, one.text) for one in history.brought],
        )


async def _embedding_deps(stage: Stage) -> EmbeddingDeps:
    return EmbeddingDeps(
        database=stage.database,
        embedder=_Hashed(),
        clock=_now,
        exact_chunks=1000,
        objects=stage.objects,
        find_upload=no_upload,
    )


def _findable(_history: History, emitted: Sequence[Emitted]) -> list[str]:
    """What listeners believe in the end: a revision that a later one overtook, and what never was, need no telling."""
    found: dict[str, int] = {}
    for one in emitted:
        event = one.event
        assert isinstance(event, DocumentIndexed | DocumentRemoved)
        source = f"{event.source_type} {event.source_id}"
        if isinstance(event, DocumentIndexed):
            found[source] = event.chunks
        else:
            # Nothing is taken away that was not there.
            del found[source]
    return [f"{source} in {chunks} chunks" for source, chunks in found.items()]


# --- storage ---


async def _uploads(stage: Stage, history: History) -> None:
    objects = {key: b"sample" for voice in history.voices for key in voice.object_keys}
    objects |= {made.object_key: made.audio for made in history.generations if made.is_rendered}
    await asyncio.gather(*(stage.objects.put(key, content, "audio/mpeg") for key, content in objects.items()))


async def _no_signal(_gone: str) -> None:
    """Nobody is asked for audio."""


async def _storage_deps(stage: Stage) -> StorageDeps:
    signer = PublicSigner(
        ObjectStoreAddress("http://127.0.0.1:1", "us-east-1", "antiphon", "key", "secret"), None, _now
    )
    small = ByteCache(most_bytes=0, ttl_seconds=1)
    return StorageDeps(
        database=stage.database,
        objects=stage.objects,
        signer=signer,
        small=small,
        known=Known(_no_signal),
        parts=stage.objects.uploads,
        prober=Prober(stage.objects),
        clock=_now,
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


# --- gateway ---


async def _webhooks(stage: Stage, history: History) -> None:
    """Each organisation has one webhook that wants everything."""
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into organizations (id, name, plan, created_at) values ($1, 'Someone', 'pro', $2)",
            [(org_id, BEGINNING) for org_id in history.orgs],
        )
        await connection.executemany(
            "insert into webhooks (id, org_id, url, description, events, secret, status, created_at)"
            " values ($1, $2, 'https://example.com/', '', '{}', sha256('secret'), 'enabled', $3)",
            [(UUID(int=number + 1), org_id, BEGINNING) for number, org_id in enumerate(history.orgs)],
        )


def _silent(_history: History, emitted: Sequence[Emitted]) -> list[str]:
    """Nothing is told of what is queued."""
    return [one.fields() for one in emitted]


PARTIES = (
    Party(
        GATEWAY,
        "gateway",
        "gateway",
        _webhooks,
        _nothing,
        _silent,
        hidden={"webhook_deliveries": frozenset({"queued_at"})},
        instead={
            "webhook_queue": "select org_id from webhook_queue",
            # A plan that was overtaken by a newer one is never learnt, and nobody's keys are looked up anew for it.
            "key_changes": "select distinct org_id from key_changes",
        },
    ),
    Party(
        GENERATION,
        "generation",
        "generation",
        _requests,
        _generation_deps,
        _generation_meaning,
        # Its place in the queue, and the trace that it belongs to.
        instead={"speech_queue": "select org_id, kind, rendition_id, priority, characters, payload from speech_queue"},
    ),
    Party(
        ANALYTICS,
        "analytics",
        "analytics",
        _reservations,
        _analytics_deps,
        _billed,
        # Of a reservation that nobody had asked for: the time at which it was decided.
        hidden={"reservations": frozenset({"expires_at"})},
    ),
    Party(
        EMBEDDING,
        "embedding",
        "embedding",
        _texts,
        _embedding_deps,
        _findable,
        hidden={"chunks": frozenset({"document_id"}), "vectors": frozenset({"document_id"})},
    ),
    Party(
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
    ),
)
