"""How text is cut, named and ranked for search."""

from __future__ import annotations

from services.embedding.domain.cutting import CHUNK_CHARACTERS, CHUNK_OVERLAP, Piece, cut
from services.embedding.domain.errors import (
    EmbeddingError,
    EmbeddingModelInvalid,
    EmbeddingRefused,
    EmbeddingUnavailable,
    ModelChanged,
)
from services.embedding.domain.ranking import FUSION_K, LEAST_DEPTH, Hit, SearchMode, fuse, fuse_hits
from services.embedding.domain.sources import (
    DIMENSIONS,
    TITLE_CHARACTERS,
    Source,
    SourceKey,
    SourceType,
    content_hash,
    language_name,
    title_of,
    voice_text,
)

__all__ = [
    "CHUNK_CHARACTERS",
    "CHUNK_OVERLAP",
    "DIMENSIONS",
    "FUSION_K",
    "LEAST_DEPTH",
    "TITLE_CHARACTERS",
    "EmbeddingError",
    "EmbeddingModelInvalid",
    "EmbeddingRefused",
    "EmbeddingUnavailable",
    "Hit",
    "ModelChanged",
    "Piece",
    "SearchMode",
    "Source",
    "SourceKey",
    "SourceType",
    "content_hash",
    "cut",
    "fuse",
    "fuse_hits",
    "language_name",
    "title_of",
    "voice_text",
]
