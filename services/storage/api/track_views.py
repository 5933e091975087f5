"""Tracks as clients see them, and which of them they ask for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from libs.objectstore import SIGNATURE_LIFETIME
from libs.web import Moment, as_id
from services.storage.domain.audio import TrackNotFound
from services.storage.store.listing import ListedTrack, TrackFilter


def track_id_of(text: str) -> UUID:
    """Return the id of a track. Raises TrackNotFound for what is none."""
    return as_id(text, TrackNotFound)


class TrackQuery(BaseModel):
    """Which tracks to list."""

    generation_id: UUID | None = Field(
        default=None,
        description="Only this generation's, which it may share: it tells the first of those who have it.",
    )
    format: str | None = Field(
        default=None, pattern="^[a-z0-9]{1,10}$", description="Only files of this kind.", examples=["mp3"]
    )
    since: Moment | None = Field(default=None, description="Kept at this time or later.")
    until: Moment | None = Field(default=None, description="Kept before this time.")
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = None

    def filter(self) -> TrackFilter:
        """Return what it says without where it begins."""
        return TrackFilter(self.generation_id, self.format, self.since, self.until)


class TrackView(BaseModel):
    """Audio that is kept. Times are UTC; the duration is in seconds; `sha256` is of the file."""

    id: UUID
    generation_id: UUID
    text: str
    input_type: Literal["text", "ssml"]
    language: str = Field(examples=["en-GB"])
    model_id: str = Field(examples=["espeak-ng"])
    duration_seconds: float = Field(gt=0, examples=[2.5])
    format: str = Field(examples=["mp3"])
    content_type: str = Field(examples=["audio/mpeg"])
    sample_rate: int = Field(examples=[44_100])
    size_bytes: int = Field(gt=0, examples=[20_480])
    sha256: str
    audio_url: str
    alignment_url: str
    created_at: datetime
    updated_at: datetime


class TrackList(BaseModel):
    """One page of tracks, newest first."""

    items: list[TrackView]
    next_cursor: str | None


MOST_SIGNED_SECONDS = int(SIGNATURE_LIFETIME.total_seconds())
SignedSeconds = Annotated[int, Query(ge=1, le=MOST_SIGNED_SECONDS, description="How long it is to work.")]


class SignedUrlView(BaseModel):
    """A URL that needs no key, and until when it works."""

    url: str = Field(examples=["https://media.example.com/antiphon/audio.mp3?X-Amz-Signature=9e1c"])
    expires_at: datetime


def view(track: ListedTrack) -> TrackView:
    """Return a track as clients see it."""
    path = f"/v1/tracks/{track.id}"
    named = {name: getattr(track, name) for name in TrackView.model_fields if hasattr(track, name)}
    return TrackView(**named, audio_url=f"{path}/audio", alignment_url=f"{path}/alignment")
