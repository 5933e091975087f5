"""HTTP routes of the embedding service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from libs.web import CallerOf, Problem, ProblemOf, invalid_field
from services.embedding import domain, usecases
from services.embedding.domain import SearchMode, SourceType
from services.embedding.usecases import Deps

router = APIRouter()

QUERY_MAX_LENGTH = 1000
LIMIT_MAX = 250


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]


class SearchRequest(BaseModel):
    """What to look for. `hybrid` asks by meaning and by words and fuses both."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=QUERY_MAX_LENGTH)
    limit: int = Field(default=10, ge=1, le=LIMIT_MAX)
    source_types: list[Literal["voice", "generation"]] | None = Field(default=None, min_length=1)
    mode: SearchMode = SearchMode.HYBRID

    @field_validator("query")
    @classmethod
    def _searchable(cls, query: str) -> str:
        if "\0" in query:
            raise ValueError(f"has a NUL at character {query.index(chr(0))}; remove it")
        if not query.strip():
            raise ValueError("is only white space; say what to look for")
        return query


class HitView(BaseModel):
    """One document that was found, with its best passage."""

    document_id: UUID
    source_type: str
    source_id: str
    title: str
    text: str
    score: float
    similarity: float | None


class SearchAnswer(BaseModel):
    """What was found, best first."""

    items: list[HitView]
    next_cursor: None = None


@router.post("/v1/search")
async def search(request: SearchRequest, caller: CallerOf, deps: DepsOf) -> SearchAnswer:
    """Find voices and spoken texts by meaning, by words, or by both."""
    types = None if request.source_types is None else [SourceType(one) for one in request.source_types]
    hits = await usecases.search(
        deps, caller, request.query, mode=request.mode, source_types=types, limit=request.limit
    )
    return SearchAnswer(items=[HitView.model_validate(hit, from_attributes=True) for hit in hits])


_UNAVAILABLE = Problem(
    503,
    "embedding_unavailable",
    "The embedding model cannot be asked right now",
    "Nothing was done; please repeat the request.",
    headers={"Retry-After": "2"},
)

PROBLEMS: Mapping[type[Exception], ProblemOf] = {
    domain.EmbeddingUnavailable: lambda _error: _UNAVAILABLE,
    domain.EmbeddingRefused: lambda error: invalid_field("query", str(error)),
}
