"""HTTP routes of the embedding service."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from libs.web import CallerOf, Problem, ProblemOf
from services.embedding import domain, usecases
from services.embedding.usecases import Deps

router = APIRouter()

QUERY_MAX_LENGTH = 1_000
LIMIT_MAX = 250
INPUTS_MAX = 256
"""Texts that are embedded in one request."""
RETRY_AFTER_SECONDS = 5


async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


DepsOf = Annotated[Deps, Depends(_deps)]


class Search(BaseModel):
    """What is looked for. Unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=QUERY_MAX_LENGTH)
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


@router.post("/v1/search")
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


class Texts(BaseModel):
    """Texts to embed."""

    model_config = ConfigDict(extra="forbid")

    input: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1, max_length=INPUTS_MAX)


class ModelView(BaseModel):
    """The installation's model."""

    model: str
    dimensions: int


class VectorsView(ModelView):
    """The texts' vectors, one after another: 32-bit floats, little-endian, in Base64."""

    vectors: str


@router.get("/internal/embeddings/model", include_in_schema=False)
async def get_model(_caller: CallerOf, deps: DepsOf) -> ModelView:
    """Say which model embeds."""
    return ModelView(model=deps.embedder.model_id, dimensions=domain.DIMENSIONS)


@router.post("/internal/embeddings", include_in_schema=False)
async def embed(texts: Texts, _caller: CallerOf, deps: DepsOf) -> VectorsView:
    """Embed texts for a client, who gets their vectors; nothing is kept."""
    vectors = await deps.embedder.embed(texts.input)
    content = base64.b64encode(vectors.astype("<f4").tobytes()).decode()
    return VectorsView(model=deps.embedder.model_id, dimensions=domain.DIMENSIONS, vectors=content)


def _no_meaning(error: domain.EmbeddingError) -> Problem:
    wait = error.retry_after if isinstance(error, domain.EmbeddingUnavailable) else None
    return Problem(
        503,
        "embedding_unavailable",
        "The query's meaning cannot be computed at the moment",
        'Repeat the request later, or search by words alone with "mode": "text".',
        headers={"Retry-After": str(math.ceil(wait or RETRY_AFTER_SECONDS))},
    )


PROBLEMS: Mapping[type[Exception], ProblemOf] = {domain.EmbeddingError: _no_meaning}
