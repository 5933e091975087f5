"""Searching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from libs.ids import parse_id
from libs.web import Caller, CallerOf, told
from services.embedding import domain, usecases
from services.embedding.api import problems
from services.embedding.api.parts import DepsOf, Metadata, Storable
from services.embedding.store.scope import Scope

router = APIRouter()

QUERY_MAX_LENGTH = 1_000
LIMIT_MAX = 250
_AWAY = told(problems.no_meaning(domain.EmbeddingUnavailable("away")), problems.TOO_SLOW)


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
    """Where a word of the query stands in `text`, in characters (code points), and in speech when it is heard."""

    start: int
    end: int
    start_ms: int | None = Field(default=None, description="Of the first ten of a hit in speech.")
    end_ms: int | None = None


class SpokenView(BaseModel):
    """When a passage is heard, in milliseconds from the start of the audio, and a URL that plays from there."""

    start_ms: int
    end_ms: int
    url: str = Field(examples=["/v1/generations/01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61/audio#t=12.300,15.000"])


class HitView(BaseModel):
    """A document that was found, with the passage that fits best.

    `similarity` is the cosine between the meanings of query and passage, null in a search by words alone. `start` and
    `end` are the passage's place in the document's text, in characters. `spoken` is null where nothing is to be heard.
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
    spoken: SpokenView | None


class HitList(BaseModel):
    """Hits, best first; all that were asked for."""

    items: list[HitView]
    next_cursor: None = None
    times_known: bool = Field(
        description="Whether it could be asked when speech is heard; if not, `spoken` is null and may be had later."
    )


class ContextView(BaseModel):
    """What a prompt can be told: passages under their numbers, and whence each comes."""

    text: str = Field(description="All passages, each under its number in brackets and its title.")
    tokens: int = Field(description="About how many a language model makes of it, rather too many than too few.")
    sources: list[HitView] = Field(description="The passages in the order of their numbers, best first.")
    times_known: bool = Field(
        description="Whether it could be asked when speech is heard; if not, `spoken` is null and may be had later."
    )


@router.post("/v1/search", responses=_AWAY)
async def search(wanted: Search, caller: CallerOf, deps: DepsOf) -> HitList:
    """Find voices, generations and documents by meaning and words, each once, by its best passage."""
    hits = await usecases.search(deps, wanted.wanted(caller.org_id), wanted.limit)
    items, times_known = await _views(deps, caller, hits, wanted.query)
    return HitList.model_validate({"items": items, "times_known": times_known})


@router.post("/v1/search/context", responses=_AWAY)
async def find_context(wanted: ContextSearch, caller: CallerOf, deps: DepsOf) -> ContextView:
    """Find what answers a question, ready for a prompt: the best passages within a number of tokens, with sources."""
    hits = await usecases.find_passages(deps, wanted.wanted(caller.org_id), wanted.max_tokens)
    text = "\n\n".join(f"[{number}] {hit.title}\n{hit.text}" for number, hit in enumerate(hits, start=1))
    sources, times_known = await _views(deps, caller, hits, wanted.query)
    told = {"text": text, "tokens": domain.tokens_of(text), "sources": sources, "times_known": times_known}
    return ContextView.model_validate(told)


async def _views(
    deps: usecases.Deps, caller: Caller, hits: Sequence[domain.Hit], query: str
) -> tuple[list[dict[str, object]], bool]:
    """Return what a HitView is made of, of each hit: making all in one step takes a third of the time."""
    marked = [domain.highlights(hit.text, query) for hit in hits]
    heard, times_known = await usecases.find_times(deps, caller.org_id, hits, marked)
    return [_view(*one) for one in zip(hits, marked, heard, strict=True)], times_known


def _view(hit: domain.Hit, marked: Sequence[tuple[int, int]], heard: usecases.Heard | None) -> dict[str, object]:
    highlights = [{"start": start, "end": end} for start, end in marked]
    spoken = None
    if heard is not None:
        for highlight, (start_ms, end_ms) in zip(highlights, heard.words, strict=False):
            highlight.update(start_ms=start_ms, end_ms=end_ms)
        start_ms, end_ms = heard.passage
        fragment = f"t={start_ms / 1000:.3f},{end_ms / 1000:.3f}"
        url = f"/v1/generations/{hit.source_id}/audio#{fragment}"
        spoken = {"start_ms": start_ms, "end_ms": end_ms, "url": url}
    return {
        "document_id": hit.document_id,
        "source_type": hit.source_type,
        "source_id": hit.source_id,
        "title": hit.title,
        "text": hit.text,
        "score": hit.score,
        "similarity": hit.similarity,
        "start": hit.start,
        "end": hit.end,
        "highlights": highlights,
        "metadata": hit.metadata,
        "spoken": spoken,
    }
