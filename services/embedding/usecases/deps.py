"""What the use cases work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from libs.database import Database
from libs.objectstore import ObjectStore
from services.embedding.adapters import Embedder, PdfReading, Questions, SpokenTimes
from services.embedding.store.nearest import Sizes
from services.embedding.usecases.filing import Filing


@dataclass(frozen=True, slots=True)
class Deps:
    """What the use cases work with.

    Up to `exact_chunks` chunks are all compared in a search; None leaves it to what is faster. Without `spoken`
    nothing is known of when passages are heard. After `search_seconds` the database's answer is waited for no longer.
    """

    database: Database
    embedder: Embedder
    clock: Callable[[], datetime]
    exact_chunks: int | None
    objects: ObjectStore
    filing: Filing = field(default_factory=Filing)
    pdf: PdfReading = field(default_factory=PdfReading)
    questions: Questions = field(default_factory=Questions)
    sizes: Sizes = field(default_factory=Sizes)
    spoken: SpokenTimes | None = None
    search_seconds: float = 10.0
