"""Audio that a worker announced, and whether what lies in the object store is that audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.storage.domain.delivery import Representation
from services.storage.domain.keys import ForeignObject, require_own


class AudioNotFound(Exception):
    """The caller's organisation has no audio of that generation."""


class AudioRefused(Exception):
    """What was announced can never be kept; the message says why, to the client too."""


@dataclass(frozen=True, slots=True)
class RenderedAudio:
    """What a worker says that it has uploaded: one character of the text has one start and one end time, in seconds."""

    generation_id: UUID
    org_id: UUID
    object_key: str
    text: str
    duration_seconds: float
    format: str
    content_type: str
    size_bytes: int
    sha256: str
    sample_rate: int
    start_times: Sequence[float]
    end_times: Sequence[float]
    model_id: str


@dataclass(frozen=True, slots=True)
class Track:
    """Audio that is kept."""

    generation_id: UUID
    object_key: str
    format: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: datetime

    @property
    def representation(self) -> Representation:
        """The audio as HTTP sees it: its SHA-256 names it, for audio never changes."""
        return Representation(self.size_bytes, f'"{self.sha256}"', self.created_at.replace(microsecond=0))

    @property
    def filename(self) -> str:
        """The name under which a client saves it."""
        return f"generation-{self.generation_id}.{self.format}"


@dataclass(frozen=True, slots=True)
class Alignment:
    """When each character is heard, in seconds from the start of the audio; all three are of one length."""

    characters: Sequence[str]
    start_times: Sequence[float]
    end_times: Sequence[float]


def require_keepable(announced: RenderedAudio) -> None:
    """Raise AudioRefused for what is wrong whatever lies in the object store; times are the database's to check."""
    if "\0" in announced.text:
        raise AudioRefused("the text has a NUL character")
    try:
        require_own("generations", announced.org_id, [announced.object_key])
    except ForeignObject as error:
        raise AudioRefused("the object is not one of the organisation's generations") from error


def verify_upload(announced: RenderedAudio, sha256: str, size_bytes: int) -> None:
    """Raise AudioRefused unless the object that was read back is the one that was announced."""
    if size_bytes != announced.size_bytes:
        raise AudioRefused(f"the audio has {size_bytes} bytes in the object store and not {announced.size_bytes}")
    if sha256 != announced.sha256:
        raise AudioRefused("the audio's SHA-256 in the object store is not the one that was announced")
