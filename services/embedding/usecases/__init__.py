"""How things become findable, stop being so, and are found."""

from __future__ import annotations

from services.embedding.usecases.deps import Deps
from services.embedding.usecases.filing import Entry, Filing
from services.embedding.usecases.indexing import adopt_model, index, remove
from services.embedding.usecases.searching import search

__all__ = ["Deps", "Entry", "Filing", "adopt_model", "index", "remove", "search"]
