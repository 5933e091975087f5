"""How things become findable, stop being so, and are found."""

from __future__ import annotations

from services.embedding.usecases.deps import Deps
from services.embedding.usecases.fetching import fetch_upload
from services.embedding.usecases.filing import Entry, Filing
from services.embedding.usecases.indexing import index, remove
from services.embedding.usecases.knowledge import (
    fail_document,
    index_document,
    remove_document,
    remove_source,
    submit_document,
)
from services.embedding.usecases.models import adopt_model, model_to_search
from services.embedding.usecases.reembedding import Reembedding
from services.embedding.usecases.saying import Heard, find_times
from services.embedding.usecases.searching import Wanted, find_passages, search

__all__ = [
    "Deps",
    "Entry",
    "Filing",
    "Heard",
    "Reembedding",
    "Wanted",
    "adopt_model",
    "fail_document",
    "fetch_upload",
    "find_passages",
    "find_times",
    "index",
    "index_document",
    "model_to_search",
    "remove",
    "remove_document",
    "remove_source",
    "search",
    "submit_document",
]
