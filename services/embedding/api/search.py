"""Searching."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, field_validator

from libs.web import CallerOf, told
from services.embedding import domain, usecases
from services.embedding.api import problems
from services.embedding.api.parts import DepsOf

router = APIRouter()

QUERY_MAX_LENGTH = 1_000
LIMIT_MAX = 250


class Search(BaseModel):
    """What is looked for. Unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=QUERY_MAX_LENGTH, examples=["the tale of the lighthouse"])
    limit: int = Field(default=10, ge=1, le=LIMIT_MAX)
    source_types: list[Literal["voice", "generation"]] | None = Field(default=None, min_length=1)
    mode: domain.SearchMode = domain.SearchMode.HYBRID

    @field_validator("query")
    @classmethod
    def _searchable(cls, query: str) -> str:
        if "\0" in query:
            raise ValueError(f"has a NUL at character {query.index(chr(0))}; remove it")
        if not query.strip():
            raise ValueError("is only white space; there is nothing to look for")
        return query


class HitView(BaseModel):
    """A document that was found, with the passage that fits best.

    `similarity` is the cosine between the meanings of query and passage, null in a search by words alone.
    """

    document_id: UUID
    source_type: str
    source_id: str
    title: str
    text: str
    score: float
    similarity: float | None


class HitList(BaseModel):
    """Hits, best first; all that were asked for."""

    items: list[HitView]
    next_cursor: None = None


@router.post("/v1/search", responses=told(problems.no_meaning(domain.EmbeddingUnavailable("away"))))
async def search(wanted: Search, caller: CallerOf, deps: DepsOf) -> HitList:
    """Find voices and generations by meaning and words, each once, by its best passage."""
    hits = await usecases.search(
        deps,
        caller,
        wanted.query,
        mode=wanted.mode,
        source_types=[domain.SourceType(name) for name in wanted.source_types] if wanted.source_types else None,
        limit=wanted.limit,
    )
    return HitList(items=[HitView.model_validate(hit, from_attributes=True) for hit in hits])
