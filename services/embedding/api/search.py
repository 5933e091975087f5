"""Searching."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from libs.ids import parse_id
from libs.web import CallerOf, told
from services.embedding import domain, usecases
from services.embedding.api import problems
from services.embedding.api.parts import DepsOf, Metadata, Storable
from services.embedding.store.scope import Scope

router = APIRouter()

QUERY_MAX_LENGTH = 1_000
LIMIT_MAX = 250
_AWAY = told(problems.no_meaning(domain.EmbeddingUnavailable("away")))


class Narrowing(BaseModel):
    """What is looked for, and where. Unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid")

    query: Storable = Field(min_length=1, max_length=QUERY_MAX_LENGTH, examples=["the tale of the lighthouse"])
    mode: domain.SearchMode = domain.SearchMode.HYBRID
    source_types: list[domain.SourceType] | None = Field(default=None, min_length=1, max_length=20)
    source_ids: list[Annotated[Storable, Field(min_length=1, max_length=200)]] | None = Field(
        default=None, min_length=1, max_length=100, description="Of voices and generations their ids, else your own."
    )
    voice: Storable | None = Field(
        default=None, min_length=1, max_length=200, description="The id or name of the voice that a generation has."
    )
    language: Storable | None = Field(default=None, min_length=2, max_length=35, description="A BCP 47 tag, of voices.")
    metadata: Metadata = Field(default_factory=dict, description="What a document says of itself.")
    since: AwareDatetime | None = Field(default=None, description="Indexed then or later.")
    until: AwareDatetime | None = Field(default=None, description="Indexed before.")
    minimum_similarity: float | None = Field(
        strict=True,
        default=None,
        ge=-1,
        le=1,
        description="Of query and passage, as a cosine; not for a search by words alone.",
    )

    @field_validator("query")
    @classmethod
    def _searchable(cls, query: str) -> str:
        if not query.strip():
            raise ValueError("is only white space; there is nothing to look for")
        return query

    @model_validator(mode="after")
    def _has_similarity(self) -> Self:
        if self.minimum_similarity is not None and self.mode is domain.SearchMode.TEXT:
            raise ValueError('minimum_similarity: means nothing with "mode": "text"; leave one of them out')
        return self

    def wanted(self, org_id: UUID) -> usecases.Wanted:
        """Return what is looked for in an organisation."""
        named = dict(self.metadata)
        if self.voice is not None:
            known = parse_id(self.voice)
            named["voice_name" if known is None else "voice_id"] = self.voice if known is None else str(known)
        if self.language is not None:
            named["language"] = self.language
        scope = Scope(org_id, self.source_types, self.source_ids, named, self.since, self.until)
        return usecases.Wanted(self.query, self.mode, scope, self.minimum_similarity)


class Search(Narrowing):
    """What is looked for, and how many hits are wanted."""

    limit: int = Field(strict=True, default=10, ge=1, le=LIMIT_MAX)


class ContextSearch(Narrowing):
    """What a prompt is to know of, and how long it may be."""

    max_tokens: int = Field(default=1_500, ge=50, le=100_000, description="Counted rather too high than too low.")


class HighlightView(BaseModel):
    """Where a word of the query stands in `text`, in characters."""

    start: int
    end: int


class HitView(BaseModel):
    """A document that was found, with the passage that fits best.

    `similarity` is the cosine between the meanings of query and passage, null in a search by words alone. `start` and
    `end` are the passage's place in the document's text, in characters.
    """

    document_id: UUID
    source_type: str
    source_id: str
    title: str
    text: str
    score: float
    similarity: float | None
    start: int
    end: int
    highlights: list[HighlightView]
    metadata: dict[str, str]


class HitList(BaseModel):
    """Hits, best first; all that were asked for."""

    items: list[HitView]
    next_cursor: None = None


class ContextView(BaseModel):
    """What a prompt can be told: passages under their numbers, and whence each comes."""

    text: str = Field(description="All passages, each under its number in brackets and its title.")
    tokens: int = Field(description="About how many a language model makes of it, rather too many than too few.")
    sources: list[HitView] = Field(description="The passages in the order of their numbers, best first.")


@router.post("/v1/search", responses=_AWAY)
async def search(wanted: Search, caller: CallerOf, deps: DepsOf) -> HitList:
    """Find voices, generations and documents by meaning and words, each once, by its best passage."""
    hits = await usecases.search(deps, wanted.wanted(caller.org_id), wanted.limit)
    return HitList(items=[_view(hit, wanted.query) for hit in hits])


@router.post("/v1/search/context", responses=_AWAY)
async def find_context(wanted: ContextSearch, caller: CallerOf, deps: DepsOf) -> ContextView:
    """Find what answers a question, ready for a prompt: the best passages within a number of tokens, with sources."""
    hits = await usecases.find_passages(deps, wanted.wanted(caller.org_id), wanted.max_tokens)
    text = "\n\n".join(f"[{number}] {hit.title}\n{hit.text}" for number, hit in enumerate(hits, start=1))
    return ContextView(text=text, tokens=domain.tokens_of(text), sources=[_view(hit, wanted.query) for hit in hits])


def _view(hit: domain.Hit, query: str) -> HitView:
    marked = [HighlightView(start=start, end=end) for start, end in domain.highlights(hit.text, query)]
    return HitView(
        document_id=hit.document_id,
        source_type=hit.source_type,
        source_id=hit.source_id,
        title=hit.title,
        text=hit.text,
        score=hit.score,
        similarity=hit.similarity,
        start=hit.start,
        end=hit.end,
        highlights=marked,
        metadata=dict(hit.metadata),
    )
