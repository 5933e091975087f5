"""The consumer groups: what they begin with, what they work with, and what their emitted events mean."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from libs.contracts.antiphon.analytics.v1.rpc_pb2 import ReserveReply, ReserveRequest
from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed, DocumentRemoved
from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.contracts.antiphon.storage.v1.events_pb2 import AudioDeleted, AudioRejected, AudioStored, MediaDeleted
from libs.messaging import connect
from libs.messaging.rpc import RpcServer
from libs.speech.espeak import EspeakEngine
from services.analytics.consumers import CONSUMERS as ANALYTICS
from services.embedding.adapters import Vectors
from services.embedding.consumers import CONSUMERS as EMBEDDING
from services.embedding.domain import DIMENSIONS
from services.embedding.usecases import Deps as EmbeddingDeps
from services.generation.adapters import Finishes, Quota
from services.generation.consumers import CONSUMERS as GENERATION
from services.generation.jobs import CONSUMERS as WORKER
from services.generation.rendering import WorkerDeps
from services.generation.usecases import Deps as GenerationDeps
from services.storage.consumers import CONSUMERS as STORAGE
from services.storage.usecases import Deps as StorageDeps
from tests.integration.shuffled.histories import BEGINNING, TOO_MUCH, Generation, History, Outcome
from tests.integration.shuffled.stage import Emitted, Party, Stage


def _now() -> datetime:
    return datetime.now(UTC)


# --- generation ---


async def _insert_generations(stage: Stage, rows: Sequence[tuple[Generation, str]]) -> None:
    """Write what requests wrote, each in a status."""
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into generations (id, org_id, voice_id, voice_name, text, characters, temperature, top_p, top_k,"
            " repetition_penalty, speed, format, model_id, status, object_key, duration_seconds, created_at)"
            " values ($1, $2, $3, 'Aaron 1', $4, $5, 1, 1, 1, 1, 1, 'mp3', 'espeak-ng', $6, $7, $8, $9)",
            [
                (
                    made.id,
                    made.org_id,
                    made.voice.id,
                    made.text,
                    len(made.text),
                    status,
                    made.object_key if status == "processing" else None,
                    len(made.text) / 16 if status == "processing" else None,
                    BEGINNING,
                )
                for made, status in rows
            ],
        )


async def _requests(stage: Stage, history: History) -> None:
    """What was deleted is gone; what a worker has rendered awaits its storing; the rest awaits a worker."""
    await _insert_generations(
        stage,
        [
            (made, "processing" if made.is_rendered else "failed" if made.outcome is Outcome.UNSPEAKABLE else "pending")
            for made in history.generations
            if not made.deleted
        ],
    )


async def _generation_deps(stage: Stage) -> GenerationDeps:
    analytics = await connect(stage.servers.nats("analytics"), "test analytics")
    stage.closing.push_async_callback(analytics.close)
    server = RpcServer(analytics, "analytics", "reserve", ReserveRequest, _reserve)
    await server.start()
    stage.closing.push_async_callback(server.stop)
    await analytics.client.flush()
    return GenerationDeps(stage.database, Quota(stage.bus, patience_seconds=5), Finishes(stage.bus), _now)


async def _reserve(request: ReserveRequest) -> ReserveReply:
    granted = request.characters < TOO_MUCH
    return ReserveReply(granted=granted, limit=10_000, remaining=3, resets_at=1_800_000_000)


def _generation_meaning(history: History, emitted: Sequence[Emitted]) -> list[str]:
    """Whether a completed generation still names its voice depends on whether that was deleted before."""
    dead = {str(made.id) for made in history.generations if made.voice.deleted}
    return [
        one.fields("voice_id")
        if isinstance(one.event, GenerationCompleted) and one.event.generation_id in dead
        else one.fields()
        for one in emitted
    ]


# --- worker ---


async def _pending(stage: Stage, history: History) -> None:
    alive = [made for made in history.generations if not made.deleted]
    await _insert_generations(stage, [(made, "pending") for made in alive])


async def _worker_deps(stage: Stage) -> WorkerDeps:
    engine = EspeakEngine(1)
    await engine.start()
    stage.closing.push_async_callback(engine.close)
    return WorkerDeps(database=stage.database, objects=stage.objects, engine=engine, clock=_now)


def _spoken(_history: History, emitted: Sequence[Emitted]) -> list[str]:
    """That it was spoken, once; not how it sounded."""
    return [one.fields("object_key", "sha256", "size_bytes", "duration_seconds", "alignment") for one in emitted]


# --- analytics ---


async def _reservations(stage: Stage, history: History) -> None:
    """Characters are held for every generation that was not put off."""
    held = [made for made in history.generations if not made.is_deferred]
    async with stage.admin() as connection:
        await connection.executemany(
            "insert into reservations (id, org_id, characters, status, expires_at) values ($1, $2, $3, 'held', $4)",
            [(made.id, made.org_id, len(made.text), BEGINNING + timedelta(hours=1)) for made in held],
        )


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


async def _embedding_deps(stage: Stage) -> EmbeddingDeps:
    return EmbeddingDeps(database=stage.database, embedder=_Hashed(), clock=_now, exact_chunks=1000)


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


async def _storage_deps(stage: Stage) -> StorageDeps:
    return StorageDeps(database=stage.database, objects=stage.objects, clock=_now)


def _stored(history: History, emitted: Sequence[Emitted]) -> list[str]:
    """What listeners believe in the end: of a deleted generation only that it is gone, and no byte is left over."""
    deleted = {str(made.id) for made in history.generations if made.deleted}
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


PARTIES = (
    Party(GENERATION, "generation", "generation", _requests, _generation_deps, _generation_meaning),
    Party(
        WORKER,
        "generation",
        "worker",
        _pending,
        _worker_deps,
        _spoken,
        hidden={"generations": frozenset({"object_key", "duration_seconds"})},
        audio_varies=True,
        instead={
            # Who is told three times may try three times; how it ended is the same, and no try is left open.
            "generation_attempts": "select generation_id, org_id, voice_id, bool_or(status = 'rendered') as rendered,"
            " bool_or(status = 'processing') as open from generation_attempts group by 1, 2, 3"
        },
    ),
    Party(
        ANALYTICS,
        "analytics",
        "analytics",
        _reservations,
        _nothing,
        _billed,
        # Of a reservation that nobody had asked for: the time at which it was decided.
        hidden={"reservations": frozenset({"expires_at"})},
    ),
    Party(
        EMBEDDING,
        "embedding",
        "embedding",
        _nothing,
        _embedding_deps,
        _findable,
        hidden={"chunks": frozenset({"document_id"})},
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
