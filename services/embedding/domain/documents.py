"""Documents that clients bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.embedding.domain.sources import SourceType

TEXT_MAX_LENGTH = 1_000_000
"""Characters of a document."""
METADATA_MAX = 32
METADATA_KEY_MAX_LENGTH = 40
METADATA_VALUE_MAX_LENGTH = 500
CLIENT_TYPES = tuple(kind for kind in SourceType if kind not in (SourceType.VOICE, SourceType.GENERATION))
"""What clients bring; voices and generations come and go by themselves."""


class Status(StrEnum):
    """What has become of a document."""

    PENDING = "pending"
    INDEXED = "indexed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Document:
    """Something that can be found, or will be."""

    id: UUID
    source_type: str
    source_id: str
    title: str
    status: Status
    chunks: int
    metadata: Mapping[str, str]
    error: str | None
    revision: int
    created_at: datetime
    updated_at: datetime


class DocumentNotFound(Exception):
    """There is no such document in the organisation."""


class DocumentOwned(Exception):
    """The document is a voice's or a generation's, and goes with it."""
