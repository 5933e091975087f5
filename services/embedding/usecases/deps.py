"""What the use cases work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from libs.database import Database
from libs.objectstore import ObjectStore
from services.embedding.adapters import Embedder, PdfReading, Questions
from services.embedding.adapters.spoken import SpokenTimes
from services.embedding.domain.uploads import Uploaded
from services.embedding.store.nearest import Sizes
from services.embedding.store.words import Vocabularies
from services.embedding.usecases.filing import Filing
from services.embedding.usecases.models import KnownIndexes, Making

FindUpload = Callable[[UUID, UUID], Awaitable[Uploaded | None]]
"""Finds a finished upload of an organisation by its id. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with.

    `embedder` is the configured model; `former` are those that indexes were made with before, as far as they are
    needed.

    Up to `exact_chunks` chunks are all compared in a search; None leaves it to what is faster. Without `spoken`
    nothing is known of when passages are heard. After `search_seconds` the database's answer is waited for no longer.
    """

    database: Database
    embedder: Embedder
    clock: Callable[[], datetime]
    exact_chunks: int | None
    objects: ObjectStore
    find_upload: FindUpload
    former: Sequence[Embedder] = ()
    filing: Filing = field(default_factory=Filing)
    pdf: PdfReading = field(default_factory=PdfReading)
    questions: Questions = field(default_factory=Questions)
    sizes: Sizes = field(default_factory=Sizes)
    vocabularies: Vocabularies = field(default_factory=Vocabularies)
    spoken: SpokenTimes | None = None
    search_seconds: float = 10.0
    known: KnownIndexes = field(default_factory=KnownIndexes)
    making: Making = field(default_factory=Making)
