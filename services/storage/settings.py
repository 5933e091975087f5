"""What the storage service reads from its environment."""

from __future__ import annotations

from pydantic import Field

from libs.service import ResourceSettings


class Settings(ResourceSettings):
    """Settings of the storage service."""

    small_audio_bytes: int = Field(default=2**20, ge=0)
    """Up to how many bytes audio is held in memory once it was read; 0: none is."""
    audio_cache_bytes: int = Field(default=64 * 2**20, ge=0)
    """How much memory such audio takes together."""
    audio_cache_seconds: float = Field(default=300.0, gt=0)
    """How long it is held."""
