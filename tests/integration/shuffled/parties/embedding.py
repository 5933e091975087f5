"""The embedding service's consumers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from libs.contracts.antiphon.embedding.v1.events_pb2 import DocumentIndexed, DocumentRemoved
from services.embedding.adapters import Vectors
from services.embedding.consumers import CONSUMERS as EMBEDDING
from services.embedding.domain import DIMENSIONS, content_hash
from services.embedding.usecases import Deps as EmbeddingDeps
from tests.integration.shuffled.histories import History
from tests.integration.shuffled.parties.idle import now
from tests.integration.shuffled.stage import Emitted, Party, Stage
from tests.support.uploads import no_upload


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
        clock=now,
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


EMBEDDING_PARTY = Party(
    EMBEDDING,
    "embedding",
    "embedding",
    _texts,
    _embedding_deps,
    _findable,
    hidden={"chunks": frozenset({"document_id"}), "vectors": frozenset({"document_id"})},
)
