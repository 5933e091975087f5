"""What the embedding service reads from its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, HttpUrl, model_validator

from libs.service import ResourceSettings, usable_cores


def _default_threads() -> int:
    """Two cores embed 1.4 times as much as one; more are left to others."""
    return min(2, max(1, usable_cores() // 2))


class Settings(ResourceSettings):
    """Settings of the embedding service."""

    model_dir: Path
    """Where the built local model is kept; 100 MB."""
    embedding_provider: Literal["local", "openai"] = "local"
    """all-MiniLM-L6-v2 in this process, or any server that speaks OpenAI's embeddings API."""
    embedding_threads: int = Field(default_factory=_default_threads, ge=1, le=64)
    """Cores that the local model computes on."""
    embedding_url: HttpUrl | None = None
    """The provider's base URL, as https://host/v1."""
    embedding_model: str | None = Field(default=None, min_length=1)
    embedding_key_file: Path | None = None
    embedding_dimensions: int = Field(default=384, ge=1, le=4000)
    """Of the provider's vectors. Another model, or other dimensions, embed everything anew in the background."""
    embedding_shorten: bool = False
    """Ask the provider for vectors shorter than its model's own, where the model can (text-embedding-3)."""
    embedding_former_url: HttpUrl | None = None
    """Where the provider is whose model is left, until everything is embedded anew: the same one unless given. For the
    local model there is nothing to give."""
    embedding_former_key_file: Path | None = None
    embedding_former_shorten: bool | None = None
    embedding_keep_former_hours: float = Field(default=168.0, ge=0, le=24 * 365)
    """How long the index of a model that was left is kept: going back to it embeds only what came since."""
    background_niceness: int = Field(default=10, ge=0, le=19)
    """How far this process steps back where the cores are all busy: nobody waits for a text to be found."""
    search_seconds: float = Field(default=10.0, gt=0, le=60)
    """How long the database may take over one search before it is given up."""
    search_exact_chunks: int | None = Field(default=None, ge=0, lt=2**31 - 1)
    """Up to this many chunks are all compared, which takes a millisecond a thousand; beyond, the approximate index is
    searched. Unless it is set, each search takes what is faster for the organisation's share of all chunks."""

    @model_validator(mode="after")
    def _provider_is_complete(self) -> Self:
        if self.embedding_provider == "openai" and not (self.embedding_url and self.embedding_model):
            raise ValueError(
                "ANTIPHON_EMBEDDING_PROVIDER=openai needs ANTIPHON_EMBEDDING_URL and ANTIPHON_EMBEDDING_MODEL"
            )
        return self
