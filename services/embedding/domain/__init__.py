"""How text is cut, named and ranked for search."""

from __future__ import annotations

from services.embedding.domain.cutting import CHUNK_CHARACTERS, CHUNK_OVERLAP, Piece, cut
from services.embedding.domain.documents import CLIENT_TYPES, Document, DocumentNotFound, DocumentOwned, Status
from services.embedding.domain.errors import (
    EmbeddingError,
    EmbeddingModelInvalid,
    EmbeddingRefused,
    EmbeddingUnavailable,
    FilesUnreadable,
    ModelChanged,
)
from services.embedding.domain.files import PAGE, FileKind, FileRefused, Reading, join_pages, kind_of, text_of
from services.embedding.domain.indexes import MOST_DIMENSIONS, Index, ModelKey, expired, searched, written
from services.embedding.domain.passages import highlights, tokens_of, within_budget
from services.embedding.domain.ranking import (
    FUSION_K,
    LEAST_DEPTH,
    Hit,
    Ranked,
    SearchMode,
    SearchTooSlow,
    fuse,
    fuse_documents,
    fuse_passages,
    worded_weight,
)
from services.embedding.domain.reach import most_compared
from services.embedding.domain.reading import TextFormat, read_text
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
from services.embedding.domain.words import SAMPLED, Vocabulary, Weighed, Words, read_words, weigh

__all__ = [
    "CHUNK_CHARACTERS",
    "CHUNK_OVERLAP",
    "CLIENT_TYPES",
    "DIMENSIONS",
    "FUSION_K",
    "LEAST_DEPTH",
    "MOST_DIMENSIONS",
    "PAGE",
    "SAMPLED",
    "TITLE_CHARACTERS",
    "Document",
    "DocumentNotFound",
    "DocumentOwned",
    "EmbeddingError",
    "EmbeddingModelInvalid",
    "EmbeddingRefused",
    "EmbeddingUnavailable",
    "FileKind",
    "FileRefused",
    "FilesUnreadable",
    "Hit",
    "Index",
    "ModelChanged",
    "ModelKey",
    "Piece",
    "Ranked",
    "Reading",
    "SearchMode",
    "SearchTooSlow",
    "Source",
    "SourceKey",
    "SourceType",
    "Status",
    "TextFormat",
    "Vocabulary",
    "Weighed",
    "Words",
    "content_hash",
    "cut",
    "expired",
    "fuse",
    "fuse_documents",
    "fuse_passages",
    "highlights",
    "join_pages",
    "kind_of",
    "language_name",
    "most_compared",
    "read_text",
    "read_words",
    "searched",
    "text_of",
    "title_of",
    "tokens_of",
    "voice_text",
    "weigh",
    "within_budget",
    "worded_weight",
    "written",
]
